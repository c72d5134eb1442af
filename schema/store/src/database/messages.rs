//! Messages of PostgreSQL's protocol, as octets (PostgreSQL, Message Formats): their borders, and the fields of errors and notices.

use super::sqlstate::MARK;

/// Type octet of the message ErrorResponse.
pub const ERROR_RESPONSE: u8 = b'E';
/// Type octet of the message NoticeResponse.
pub const NOTICE_RESPONSE: u8 = b'N';
/// Type octet of the message ReadyForQuery, with which PostgreSQL ends its answer to a request.
pub const READY_FOR_QUERY: u8 = b'Z';
/// Octets of a message's header: one for the type, four for the length. The length counts itself but not the type.
pub const HEADER_BYTES: usize = 5;
/// Octets of a length.
pub const LENGTH_BYTES: usize = 4;

/// Type octet of the field with the SQLSTATE.
const FIELD_SQLSTATE: u8 = b'C';
/// Type octet of the field with the hint.
const FIELD_HINT: u8 = b'H';
/// Type octet of the field with the routine of PostgreSQL's source that made the message.
const FIELD_ROUTINE: u8 = b'R';
/// Routine of PostgreSQL in which a COMMIT waits until the standby has the commit. A warning from this routine says that the wait was given
/// up.
const WAIT_FOR_STANDBY: &[u8] = b"SyncRepWaitForLSN";

/// Reads a length: a number of four octets, the most significant octet first.
pub fn length(octets: &[u8]) -> usize {
    octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet))
}

/// Lists the fields of a complete ErrorResponse or NoticeResponse, each with its type and its value. Returns `None` if the message is
/// malformed.
fn fields(message: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let mut rest = message.get(HEADER_BYTES..)?;
    let mut fields = Vec::new();
    loop {
        let (&kind, behind) = rest.split_first()?;
        if kind == 0 {
            return Some(fields);
        }
        let end = behind.iter().position(|octet| *octet == 0)?;
        fields.push((kind, &behind[..end]));
        rest = &behind[end + 1..];
    }
}

/// Replaces the hint of a complete ErrorResponse by its SQLSTATE, since diesel passes on the hint of an error but not its SQLSTATE. A
/// malformed ErrorResponse does not change.
pub fn with_sqlstate_as_hint(error: &[u8]) -> Vec<u8> {
    let Some(fields) = fields(error) else { return error.to_vec() };
    let sqlstate = fields.iter().find(|(kind, _)| *kind == FIELD_SQLSTATE).map_or(&[][..], |(_, value)| value);
    let hint = [MARK.as_bytes(), sqlstate].concat();
    let mut body = Vec::with_capacity(error.len() + hint.len() + 2);
    for (kind, value) in fields.iter().filter(|(kind, _)| *kind != FIELD_HINT).copied().chain([(FIELD_HINT, &hint[..])])
    {
        body.push(kind);
        body.extend_from_slice(value);
        body.push(0);
    }
    body.push(0);
    let Ok(length) = u32::try_from(body.len() + LENGTH_BYTES) else { return error.to_vec() };
    [&[ERROR_RESPONSE], &length.to_be_bytes()[..], &body].concat()
}

/// Says whether a complete NoticeResponse tells that a COMMIT stopped waiting for the standby. The text of the notice is in the server's
/// language, so the name of the routine decides (PostgreSQL, `src/backend/replication/syncrep.c`).
pub fn is_end_of_wait(notice: &[u8]) -> bool {
    fields(notice).is_some_and(|fields| fields.contains(&(FIELD_ROUTINE, WAIT_FOR_STANDBY)))
}
