DROP TRIGGER audit_chained ON xm.audit;
DROP FUNCTION xm.demand_chain();
DROP INDEX xm.audit_operator, xm.audit_action, xm.audit_subject, xm.audit_at, xm.audit_detail;
