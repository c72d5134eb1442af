//! Declarations of the control tables that diesel's query builder reads and writes; the migrations make the tables.

use diesel::{allow_tables_to_appear_in_same_query, table};

table! {
    xm.server (only_row) {
        only_row -> Bool,
        name -> Text,
        mode -> Text,
        currency -> Text,
        currency_digits -> SmallInt,
        zone -> Text,
        catalogue_revision -> BigInt,
        created_at -> Timestamptz,
        recharge_limit -> BigInt,
    }
}

table! {
    xm.agencies (matricule) {
        matricule -> Integer,
        name -> Text,
        town -> Text,
        area -> Text,
        telephone -> Text,
        email -> Text,
        plan -> Text,
        status -> SmallInt,
        letter_bytes_max -> Integer,
        cbc_allowed -> Bool,
        revision -> BigInt,
        created_at -> Timestamptz,
    }
}

table! {
    xm.plans (name) {
        name -> Text,
        description -> Text,
        created_at -> Timestamptz,
        read_acts_per_day -> Nullable<BigInt>,
        read_bytes_per_day -> Nullable<BigInt>,
    }
}

table! {
    xm.scopes (agency, column_name, code) {
        agency -> Integer,
        column_name -> Text,
        code -> Text,
    }
}

table! {
    xm.installations (agency, name) {
        agency -> Integer,
        name -> Text,
        sequence_highest -> BigInt,
        sequence_floor -> BigInt,
        created_at -> Timestamptz,
    }
}

table! {
    xm.agency_keys (spki_sha256) {
        spki_sha256 -> Bytea,
        agency -> Integer,
        revoked_at -> Nullable<Timestamptz>,
        revoked_reason -> Nullable<Text>,
    }
}

table! {
    xm.centre_keys (spki_sha256) {
        spki_sha256 -> Bytea,
        purpose -> Text,
        state -> Text,
        algorithm -> Text,
        fingerprint -> Bytea,
        certificate -> Bytea,
        not_before -> Timestamptz,
        not_after -> Timestamptz,
        added_at -> Timestamptz,
    }
}

table! {
    xm.centre_addresses (address) {
        address -> Text,
        seen_at -> Timestamptz,
    }
}

table! {
    xm.certificates (id) {
        id -> Integer,
        agency -> Integer,
        spki_sha256 -> Bytea,
        key_id -> Bytea,
        issuer -> Bytea,
        serial -> Bytea,
        der -> Bytea,
        fingerprint -> Bytea,
        algorithm -> Text,
        not_before -> Timestamptz,
        not_after -> Timestamptz,
        registered_at -> Timestamptz,
        revoked_at -> Nullable<Timestamptz>,
        revoked_reason -> Nullable<Text>,
    }
}

table! {
    xm.accounts (id) {
        id -> Integer,
        kind -> Text,
        agency -> Nullable<Integer>,
        balance -> BigInt,
        credit_limit -> BigInt,
    }
}

table! {
    xm.entries (id) {
        id -> BigInt,
        debit -> Integer,
        credit -> Integer,
        amount -> BigInt,
        kind -> Text,
        agency -> Integer,
        letter_id -> Nullable<Uuid>,
        attempt -> Nullable<SmallInt>,
        balance_after -> BigInt,
        balance_floor -> Nullable<BigInt>,
        note -> Text,
        posted_at -> Timestamptz,
    }
}

table! {
    xm.tables (id) {
        id -> Integer,
        application -> Text,
        name -> Text,
        schema_name -> Text,
        relation_name -> Text,
        scope_column -> Nullable<Text>,
        legal_key -> Array<Text>,
        corrections -> Text,
        checks -> Jsonb,
        version -> Integer,
        adopted_at -> Timestamptz,
        abandoned_at -> Nullable<Timestamptz>,
        triggers_seen -> Jsonb,
        results -> Bool,
        areas -> Array<Text>,
        notes -> Nullable<Jsonb>,
    }
}

table! {
    xm.definitions (table_id, version) {
        table_id -> Integer,
        version -> Integer,
        #[sql_name = "columns"]
        columns_found -> Jsonb,
        adopted_at -> Timestamptz,
    }
}

table! {
    xm.rights (table_id, plan) {
        table_id -> Integer,
        plan -> Text,
        may_export -> Bool,
        may_read -> Text,
        may_certify -> Text,
        certify_gives -> Text,
    }
}

table! {
    xm.tariffs (id) {
        id -> Integer,
        plan -> Nullable<Text>,
        service -> Text,
        table_id -> Nullable<Integer>,
        per_act -> BigInt,
        per_started_kb -> BigInt,
        credit -> Text,
        valid_from -> Timestamptz,
        valid_to -> Nullable<Timestamptz>,
        set_at -> Timestamptz,
    }
}

table! {
    xm.letters (agency, letter_id) {
        agency -> Integer,
        letter_id -> Uuid,
        installation -> Text,
        sequence -> Nullable<BigInt>,
        digest -> Bytea,
        attempt -> SmallInt,
        verdict -> Text,
        transport -> Text,
        certificate -> Integer,
        receipt -> Bytea,
        received_at -> Timestamptz,
        answered_at -> Nullable<Timestamptz>,
        cipher -> Nullable<Text>,
    }
}

table! {
    xm.originals (journal_id, received_at) {
        journal_id -> BigInt,
        received_at -> Timestamptz,
        container -> Bytea,
    }
}

// The declaration omits the columns about the claimed sender: with more than sixteen columns, diesel takes twice as long to compile.
table! {
    xm.quarantine (id) {
        id -> BigInt,
        received_at -> Timestamptz,
        reason -> Text,
        held -> Bool,
        agency -> Nullable<Integer>,
        installation -> Nullable<Text>,
        letter_id -> Nullable<Uuid>,
        digest -> Bytea,
        transport -> Text,
        mailbox -> Text,
        sender_domain -> Text,
        original -> Bytea,
        original_bytes -> BigInt,
        detail -> Text,
        held_version -> Nullable<Jsonb>,
        state -> Text,
    }
}

table! {
    xm.quarantine_usage (reason) {
        reason -> Text,
        bytes_kept -> BigInt,
    }
}

table! {
    xm.flags (id) {
        id -> BigInt,
        agency -> Integer,
        letter_id -> Uuid,
        table_id -> Integer,
        check_code -> Text,
        unjudged -> Bool,
        rows -> Jsonb,
        rows_total -> Integer,
        flagged_at -> Timestamptz,
        explanation -> Nullable<Text>,
        explained_by -> Nullable<Text>,
        explained_at -> Nullable<Timestamptz>,
    }
}

table! {
    xm.users (name) {
        name -> Text,
        privilege -> SmallInt,
        password_hash -> Text,
        must_change -> Bool,
        failures -> SmallInt,
        locked_until -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        is_commission -> Bool,
        locked_at -> Nullable<Timestamptz>,
        signed_in_at -> Nullable<Timestamptz>,
    }
}

table! {
    xm.sessions (id) {
        id -> BigInt,
        token_sha256 -> Bytea,
        user_name -> Text,
        channel -> Text,
        place -> Text,
        started_at -> Timestamptz,
        used_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
    }
}

table! {
    xm.system_accounts (id) {
        id -> Integer,
        uid -> BigInt,
        account -> Text,
        user_name -> Text,
        mapped_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
    }
}

table! {
    xm.approvals (id) {
        id -> BigInt,
        operation -> Text,
        parameters -> Jsonb,
        seen -> Jsonb,
        needs_commission -> Bool,
        asked_by -> Text,
        asker_is_commission -> Bool,
        asked_at -> Timestamptz,
        expires_at -> Timestamptz,
        state -> Text,
        decided_by -> Nullable<Text>,
        decider_is_commission -> Nullable<Bool>,
        decided_at -> Nullable<Timestamptz>,
        reason -> Nullable<Text>,
    }
}

table! {
    xm.audit (id) {
        id -> BigInt,
        at -> Timestamptz,
        operator -> Text,
        action -> Text,
        subject -> Text,
        detail -> Jsonb,
        previous_hash -> Bytea,
        hash -> Bytea,
    }
}

allow_tables_to_appear_in_same_query!(agencies, accounts, scopes, installations, certificates, agency_keys, entries);
allow_tables_to_appear_in_same_query!(letters, certificates);
allow_tables_to_appear_in_same_query!(users, system_accounts);
allow_tables_to_appear_in_same_query!(centre_keys, certificates);
allow_tables_to_appear_in_same_query!(tables, definitions, rights, tariffs, plans);

#[cfg(test)]
mod tests;
