DROP TABLE xm.broadcasts;
DROP TABLE xm.messages;
