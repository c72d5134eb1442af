//! Metrics of running programs, as a test observes them: which metrics have changed, and whether an idle program shows unfinished work.

use std::collections::{BTreeMap, BTreeSet};

/// Gauges of unfinished work and of faults. Each is 0 in an idle program without faults.
const IN_HAND: [&str; 12] = [
    "xm_actor_mailbox_depth",
    "xm_intake_connections",
    "xm_intake_held",
    "xm_ledger_difference",
    "xm_letters_unanswered_oldest_seconds",
    "xm_mailbox_mails",
    "xm_mails_in_hand",
    "xm_mails_in_hand_oldest_seconds",
    "xm_mails_unfetchable",
    "xm_outbox_oldest_seconds",
    "xm_outbox_waiting",
    "xm_reads_waiting",
];
/// Gauges of a state, which may be above 0 even in an idle program. A new gauge must be added here or to [`IN_HAND`].
const STATES: [&str; 48] = [
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_threads",
    "process_virtual_memory_bytes",
    "xm_accounts_owed_minor_units",
    "xm_accounts_owing",
    "xm_accounts_prepaid_minor_units",
    "xm_agencies",
    "xm_agencies_certificate_ending",
    "xm_agencies_settled",
    "xm_agencies_silent",
    "xm_agencies_without_certificate",
    "xm_approvals_waiting",
    "xm_approvals_waiting_oldest_seconds",
    "xm_build_info",
    "xm_carrier_durable",
    "xm_carrier_waiting",
    "xm_centre_certificate_expiry_seconds",
    "xm_data_folder_free_bytes",
    "xm_data_folder_size_bytes",
    "xm_database_connections",
    "xm_database_hosts",
    "xm_database_synchronous_standbys",
    "xm_database_up",
    "xm_dead_rows",
    "xm_enrolments_locked",
    "xm_flags_unexplained",
    "xm_flags_unexplained_oldest_seconds",
    "xm_leases_held",
    "xm_letters_held",
    "xm_letters_held_oldest_seconds",
    "xm_mailbox_up",
    "xm_messages_unread",
    "xm_outbox_failed",
    "xm_outbox_to_collect",
    "xm_profile_changes_waiting",
    "xm_quarantine_bytes",
    "xm_quarantine_bytes_max",
    "xm_quarantine_open",
    "xm_reader_up",
    "xm_recharging_locked",
    "xm_replicas",
    "xm_results_held_oldest_seconds",
    "xm_stations",
    "xm_vouchers",
    "xm_vouchers_open_minor_units",
];
/// Gauges that not every program shows: only the program with the mailbox's lease, or only a program with an intake for pushed mail.
const OF_SOME_PROGRAMS: [&str; 3] = ["xm_intake_connections", "xm_intake_held", "xm_mailbox_mails"];

/// Returns the values of a scrape by series, written as `name{labels}`. `text` is in the text format of Prometheus.
pub fn values(text: &str) -> BTreeMap<&str, f64> {
    let lines = text.lines().filter(|line| line.starts_with("xm_") || line.starts_with("process_"));
    lines
        .filter_map(|line| line.rsplit_once(' '))
        .filter_map(|(name, value)| Some((name, value.parse().ok()?)))
        .collect()
}

/// Lists the values that cannot be true of an idle program: work in hand, an actor that is done with fewer letters than it received, or a
/// gauge that is in neither list.
pub fn lies_of_an_idle_program(text: &str) -> Vec<String> {
    let mut lies = Vec::new();
    let gauges = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" gauge"));
    for name in gauges.filter(|name| !IN_HAND.contains(name) && !STATES.contains(name)) {
        lies.push(format!("{name} is a gauge, and nobody says whether of work in hand"));
    }
    let values = values(text);
    for name in IN_HAND {
        let of_name = values.iter().filter(|(series, _)| series.split('{').next() == Some(name));
        let mut is_shown = false;
        for (series, value) in of_name {
            is_shown = true;
            if *value != 0.0 {
                lies.push(format!("{series} is {value}"));
            }
        }
        if !is_shown && !OF_SOME_PROGRAMS.contains(&name) {
            lies.push(format!("{name} is not shown"));
        }
    }
    let received = "xm_actor_received_total{actor=\"";
    for (series, received) in values.iter().filter_map(|(series, value)| Some((series.strip_prefix(received)?, value)))
    {
        let actor = series.trim_end_matches("\"}");
        let of_actor = format!("xm_actor_handled_total{{actor=\"{actor}\",");
        let handled: f64 =
            values.iter().filter(|(series, _)| series.starts_with(&of_actor)).map(|(_, value)| value).sum();
        if handled != *received {
            lies.push(format!("{actor} took {received} letters and is done with {handled}"));
        }
    }
    lies
}

/// All values seen so far of each metric, by program and series.
#[derive(Debug, Default)]
pub struct Moves(BTreeMap<String, BTreeMap<(usize, String), BTreeSet<String>>>);

impl Moves {
    /// Records the values in one scrape of one program. `program` is the program's index.
    pub fn look(&mut self, program: usize, text: &str) {
        let mut family = String::new();
        // The first lines are the head of the HTTP answer and belong to no metric.
        let is_of = |family: &str, line: &str| !family.is_empty() && line.starts_with(family);
        for line in text.lines() {
            if let Some((name, _kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
                name.clone_into(&mut family);
            } else if let Some((series, value)) = line.rsplit_once(' ').filter(|_| is_of(&family, line)) {
                let of_family = self.0.entry(family.clone()).or_default();
                of_family.entry((program, series.to_owned())).or_default().insert(value.to_owned());
            }
        }
    }

    /// Returns the metrics none of whose series has ever changed.
    pub fn still(&self) -> BTreeSet<&str> {
        let is_still = |series: &BTreeMap<_, BTreeSet<String>>| series.values().all(|values| values.len() < 2);
        self.0.iter().filter(|(_, series)| is_still(series)).map(|(name, _)| name.as_str()).collect()
    }

    /// Returns the names of all metrics that were seen.
    pub fn metrics(&self) -> BTreeSet<&str> {
        self.0.keys().map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the metrics of an idle program.
    fn quiet() -> String {
        let mut text = String::from("# HELP xm_mails_in_hand x\n");
        for name in IN_HAND {
            text.push_str(&format!("# TYPE {name} gauge\n{name}{{actor=\"exporter\"}} 0\n"));
        }
        text + "# TYPE xm_actor_received_total counter\nxm_actor_received_total{actor=\"exporter\"} 3\n\
            # TYPE xm_actor_handled_total counter\nxm_actor_handled_total{actor=\"exporter\",outcome=\"ok\"} 2\n\
            xm_actor_handled_total{actor=\"exporter\",outcome=\"fault\"} 1\n"
    }

    #[test]
    fn a_metric_has_moved_when_one_series_of_it_has() {
        let mut moves = Moves::default();
        moves.look(0, &quiet());
        moves.look(1, &quiet().replace("outcome=\"ok\"} 2", "outcome=\"ok\"} 1"));
        assert_eq!(moves.still(), moves.metrics(), "another program is no movement");
        moves.look(0, &quiet().replace("outcome=\"fault\"} 1", "outcome=\"fault\"} 4"));
        let still: Vec<&str> = moves.metrics().difference(&moves.still()).copied().collect();
        assert_eq!(still, ["xm_actor_handled_total"]);
    }

    #[test]
    fn an_idle_program_that_shows_work_lies() {
        assert!(lies_of_an_idle_program(&quiet()).is_empty());
        for (well, ill) in [
            ("xm_mails_in_hand{actor=\"exporter\"} 0", "xm_mails_in_hand 1"),
            ("xm_mails_in_hand{actor=\"exporter\"} 0\n", ""),
            ("_depth{actor=\"exporter\"} 0", "_depth{actor=\"exporter\"} 2"),
            ("# HELP", "# TYPE xm_new gauge\n# HELP"),
            ("outcome=\"fault\"} 1", "outcome=\"fault\"} 2"),
        ] {
            let lies = lies_of_an_idle_program(&quiet().replace(well, ill));
            assert_eq!(lies.len(), 1, "{ill}: {lies:?}");
        }
    }
}
