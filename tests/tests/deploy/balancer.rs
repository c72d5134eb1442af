//! The samples for HAProxy, as HAProxy reads them. `tests/tests/intake.rs` and others run letters through the first one.

use std::fs;

use crate::checkers::{Said, deployed, planted, read, run};

const OVERLAY: &str = "kubernetes/overlays/dmz/haproxy.cfg";

fn haproxy(files: &[&str]) -> Said {
    let arguments: Vec<&str> = ["-c"].into_iter().chain(files.iter().flat_map(|file| ["-f", *file])).collect();
    run("/usr/sbin/haproxy", &arguments)
}

#[test]
fn haproxy_understands_its_samples() {
    let [letters, stats] =
        ["haproxy/haproxy.cfg", "haproxy/stats.cfg"].map(|name| deployed(name).display().to_string());
    let said = haproxy(&[&letters, &stats]);
    assert!(said.is_content, "{}", said.text);
    let said = haproxy(&[deployed(OVERLAY).to_str().unwrap()]);
    assert!(said.is_content, "{}", said.text);
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("haproxy.cfg");
    fs::write(&bad, planted(&read("haproxy/haproxy.cfg"), "balance leastconn", "balance leastcon")).unwrap();
    assert!(!haproxy(&[bad.to_str().unwrap()]).is_content);
}

#[test]
fn the_balancer_in_kubernetes_is_the_same_but_for_names() {
    let mut shipped = read("haproxy/haproxy.cfg").replace("bind :443", "bind :8443");
    for replica in 1..=3 {
        let pod = format!("xmserver-{}", replica - 1);
        let own = format!("{pod} {pod}.xmserver-replicas.xmserver.svc.cluster.local");
        shipped = shipped.replace(&format!("replica-{replica} replica-{replica}.example.org"), &own);
    }
    let overlay = read(OVERLAY);
    let (first, rest) = overlay.split_once('\n').unwrap();
    assert!(first.starts_with("# As deploy/haproxy/haproxy.cfg"), "{first}");
    assert_eq!(rest, shipped);
}
