//! What Kubernetes is told: each overlay is built by kustomize, read by the schemas of Kubernetes, and gives no pod more than it needs.
//! No cluster runs it.

use std::fs;

use serde_json::{Value, json};

use crate::checkers::{are_there, configuration, deployed, planted, read, root, run, stop_seconds_max, yaml};

const OVERLAYS: [&str; 3] = ["single", "ha", "dmz"];
const BASE: &str = "kubernetes/base/xmserver.toml";

/// Builds an overlay, as YAML.
fn built(overlay: &str) -> String {
    let folder = deployed("kubernetes/overlays").join(overlay);
    let said = run("kubectl", &["kustomize", folder.to_str().unwrap()]);
    assert!(said.is_content, "{overlay}: {}", said.text);
    said.text
}

fn is_valid(overlay: &str) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("overlay.yaml");
    fs::write(&file, overlay).unwrap();
    let said = run("kubernetes-validate", &["--strict", file.to_str().unwrap()]);
    (said.is_content && !said.text.contains("ERROR"), said.text)
}

#[test]
fn overlays_are_what_kubernetes_expects() {
    if !are_there() {
        return;
    }
    for overlay in OVERLAYS {
        let text = built(overlay);
        let (is_content, said) = is_valid(&text);
        assert!(is_content, "{overlay}: {said}");
        assert!(said.contains("statefulset/xmserver"), "{said}");
        for (from, to) in [
            ("  podManagementPolicy: Parallel", "  podManagmentPolicy: Parallel"),
            ("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: \"yes\""),
            ("maxUnavailable: 1", "maxUnavailible: 1"),
        ] {
            assert!(!is_valid(&planted(&text, from, to)).0, "{overlay}: {to} is not seen");
        }
    }
}

/// Returns what a pod has that it should not, or lacks.
fn too_open(pod: &Value) -> Vec<String> {
    let mut breaches = Vec::new();
    let mut demand = |is_so: bool, what: &str| {
        if !is_so {
            breaches.push(what.to_owned());
        }
    };
    demand(pod["securityContext"]["runAsNonRoot"] == true, "may be root");
    demand(pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault", "has no seccomp profile");
    demand(pod["automountServiceAccountToken"] == false, "has a token of Kubernetes");
    demand(pod["enableServiceLinks"] == false, "has variables that begin with XMSERVER_");
    for container in pod["containers"].as_array().unwrap() {
        let own = &container["securityContext"];
        demand(own["readOnlyRootFilesystem"] == true, "its root can be written");
        demand(own["allowPrivilegeEscalation"] == false, "may become more");
        demand(own["capabilities"]["drop"] == json!(["ALL"]), "keeps capabilities");
        demand(container["resources"]["limits"]["memory"].is_string(), "its memory has no limit");
        let image = container["image"].as_str().unwrap_or_default();
        demand(image.rsplit_once(':').is_some_and(|(_, tag)| tag != "latest"), "its image is any");
    }
    breaches
}

#[test]
fn pods_have_no_more_than_they_need() {
    if !are_there() {
        return;
    }
    let mut pods = Vec::new();
    for overlay in OVERLAYS {
        let of_pod = |one: &Value| Some(one["spec"]["template"]["spec"].clone()).filter(Value::is_object);
        pods.extend(yaml(&built(overlay)).iter().filter_map(of_pod));
    }
    assert_eq!(pods.len(), 4, "a StatefulSet each, and the balancers of dmz");
    for pod in &pods {
        assert_eq!(too_open(pod), Vec::<String>::new(), "{}", pod["containers"][0]["name"]);
    }
    let mut open = pods[0].clone();
    open["containers"][0]["securityContext"]["readOnlyRootFilesystem"] = json!(false);
    open["containers"][0]["image"] = json!("xmserver");
    assert_eq!(too_open(&open).len(), 2);
}

#[test]
fn what_kubernetes_asks_is_what_the_program_answers() {
    if !are_there() {
        return;
    }
    let configuration = configuration(BASE);
    let objects = yaml(&built("ha"));
    let of_kind = |kind: &str| objects.iter().find(|one| one["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"));
    let set = &of_kind("StatefulSet")["spec"];
    assert_eq!(set["podManagementPolicy"], "Parallel");
    let pod = &set["template"]["spec"];
    let container = &pod["containers"][0];
    let pause: u64 = container["lifecycle"]["preStop"]["exec"]["command"][1].as_str().unwrap().parse().unwrap();
    let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
    assert!(grace > pause + stop_seconds_max(&configuration) + 10, "a pod that drains is killed after {grace} s");
    assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/accept/smtp");
    assert_eq!(container["livenessProbe"]["httpGet"]["path"], "/live");
    let port = |name: &str| {
        let mut ports = container["ports"].as_array().unwrap().iter();
        ports.find(|port| port["name"] == name).unwrap()["containerPort"].as_u64().unwrap()
    };
    assert_eq!(port("health"), u64::from(configuration.server.http_address.port()));
    assert_eq!(port("lmtp"), u64::from(configuration.intakes[0].smtp.listen.port()));
    assert_eq!(port("https"), u64::from(configuration.https.as_ref().unwrap().listen.port()));
    assert_eq!(of_kind("PodDisruptionBudget")["spec"]["maxUnavailable"], 1);
    assert_eq!(of_kind("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["kind"], "StatefulSet");
    assert!(set["replicas"].is_null(), "the autoscaler says how many, and each apply would undo it");
}

/// The metrics by which the number of replicas is chosen exist, and the rules of the adapter make them under the names that are asked for.
#[test]
fn the_autoscaler_asks_for_metrics_that_there_are() {
    if !are_there() {
        return;
    }
    let adapter = &yaml(&read("kubernetes/overlays/ha/metrics-adapter.yaml"))[0]["rules"];
    let operations = fs::read_to_string(root().join("OPERATIONS.md")).unwrap();
    let mut offered = Vec::new();
    for rule in ["custom", "external"].iter().flat_map(|kind| adapter[kind].as_array().unwrap()) {
        let series = rule["seriesQuery"].as_str().unwrap().split('{').next().unwrap();
        assert!(operations.contains(&format!("| `{series}` |")), "{series} is no metric of the program");
        offered.push(rule["name"]["as"].as_str().unwrap().to_owned());
    }
    let autoscaler = &yaml(&read("kubernetes/overlays/ha/autoscaler.yaml"))[0];
    let asked = autoscaler["spec"]["metrics"].as_array().unwrap().iter().map(|metric| {
        let of = if metric["type"] == "Pods" { &metric["pods"] } else { &metric["external"] };
        of["metric"]["name"].as_str().unwrap().to_owned()
    });
    assert_eq!(asked.collect::<Vec<_>>(), offered);
}
