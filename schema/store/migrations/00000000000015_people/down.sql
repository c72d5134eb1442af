ALTER TABLE xm.server DROP COLUMN recharge_limit;
DROP TABLE xm.approvals;
DROP FUNCTION xm.guard_approval();
DROP TABLE xm.system_accounts;
ALTER TABLE xm.users DROP COLUMN is_commission;
