DROP TABLE xm.recharge_tries;
DROP TABLE xm.vouchers;
DROP FUNCTION xm.guard_voucher();
DROP TABLE xm.voucher_batches;
