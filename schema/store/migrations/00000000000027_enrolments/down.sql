DROP TABLE xm.enrolment_codes;
