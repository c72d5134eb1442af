-- There is no way back from the foundation: that would be dropping every letter. Restore a backup instead.
SELECT 1;
