//! Tables of what objects use, and the two properties that quotas rest on.

use std::sync::Arc;

use api_record::Record;
use api_record::scalar;
use api_types::core::v1::{Container, ContainerStatus, PersistentVolumeClaim, Pod, ResourceQuota, Service};
use api_types::core::v1::{ResourceRequirements, ScopeSelector, ScopedResourceSelectorRequirement};
use api_types::resource::v1::{DeviceRequest, DeviceSubRequest, ExactDeviceRequest, ResourceClaim};
use base::time::Time;
use proptest::prelude::*;

use crate::{Measure, ResourceList, nonzero, rise, shown, total};

fn list(text: &str) -> ResourceList {
    let pairs =
        text.split(',').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').expect("a pair"));
    pairs.map(|(name, value)| (name.to_owned(), value.parse().expect("a quantity"))).collect()
}

fn container(name: &str, requests: &str, limits: &str) -> Container {
    let resources = ResourceRequirements {
        requests: list(requests),
        limits: list(limits),
        ..ResourceRequirements::default()
    };
    Container { name: name.into(), resources, ..Container::default() }
}

fn pod(containers: Vec<Container>) -> Pod {
    let mut pod = Pod::default();
    pod.spec.containers = containers.into();
    pod
}

fn measure(group: &str, plural: &str) -> Measure {
    Measure::of(group, plural).expect("measured")
}

fn used(plural: &str, object: &dyn Record) -> String {
    shown(&measure("", plural).usage(object, Time::EPOCH))
}

#[test]
fn a_pod_uses_what_its_containers_may_claim() {
    let plain = pod(vec![container("a", "cpu=1,memory=1Gi,example.com/gpu=2,hugepages-2Mi=4Mi", "cpu=2")]);
    assert_eq!(
        used("pods", &plain),
        "count/pods=1,cpu=1,hugepages-2Mi=4Mi,limits.cpu=2,memory=1Gi,pods=1,requests.cpu=1,\
         requests.example.com/gpu=2,requests.hugepages-2Mi=4Mi,requests.memory=1Gi"
    );
    let mut done = plain.clone();
    done.status.phase = "Succeeded".into();
    assert_eq!(used("pods", &done), "count/pods=1");
    let mut sidecar = container("s", "cpu=500m", "");
    sidecar.restart_policy = Some("Always".into());
    let mut started = pod(vec![container("a", "cpu=1", "")]);
    started.spec.init_containers = vec![sidecar, container("i", "cpu=2", "")];
    started.spec.overhead = list("cpu=100m");
    assert_eq!(used("pods", &started), "count/pods=1,cpu=2600m,pods=1,requests.cpu=2600m");
    started.spec.resources =
        Some(Box::new(ResourceRequirements { requests: list("cpu=3"), ..Default::default() }));
    assert_eq!(used("pods", &started), "count/pods=1,cpu=3100m,pods=1,requests.cpu=3100m");
}

#[test]
fn a_pod_that_is_being_resized_uses_the_most_of_then_and_now() {
    let mut resized = pod(vec![container("a", "cpu=1", "cpu=1")]);
    resized.status.container_statuses = vec![ContainerStatus {
        name: "a".into(),
        allocated_resources: list("cpu=2"),
        resources: Some(Box::new(container("", "cpu=3", "cpu=3").resources)),
        ..ContainerStatus::default()
    }];
    assert_eq!(used("pods", &resized), "count/pods=1,cpu=3,limits.cpu=3,pods=1,requests.cpu=3");
    resized.spec.containers[0] = container("a", "cpu=9", "cpu=9");
    resized.status.conditions = vec![api_types::core::v1::PodCondition {
        type_: "PodResizePending".into(),
        status: "True".into(),
        reason: "Infeasible".into(),
        ..Default::default()
    }];
    assert_eq!(used("pods", &resized), "count/pods=1,cpu=3,limits.cpu=3,pods=1,requests.cpu=3");
}

#[test]
fn a_pod_whose_time_is_long_over_counts_no_more() {
    let mut gone = pod(vec![]);
    gone.metadata.deletion_timestamp = Some(scalar::Time { seconds: 10 });
    gone.metadata.deletion_grace_period_seconds = Some(5);
    let at = |seconds| shown(&measure("", "pods").usage(&gone, Time::from_unix_seconds(seconds)));
    assert_eq!((at(15), at(16)), ("count/pods=1,pods=1".to_owned(), "count/pods=1".to_owned()));
}

#[test]
fn containers_must_say_what_is_counted() {
    let unsaid = |pod: &Pod, counted: &[&str]| measure("", "pods").unsaid(pod, counted);
    let two = pod(vec![container("b", "cpu=1", ""), container("a", "", "")]);
    assert_eq!(
        unsaid(&two, &["pods", "requests.cpu", "limits.memory"]).as_deref(),
        Some("must specify limits.memory for: a,b; requests.cpu for: a")
    );
    assert_eq!(unsaid(&two, &["requests.ephemeral-storage", "pods"]), None);
    let mut whole = two;
    whole.spec.resources = Some(Box::new(container("", "cpu=2", "").resources));
    assert_eq!(unsaid(&whole, &["requests.cpu", "limits.memory"]), None);
}

#[test]
fn services_use_the_node_ports_that_they_will_have() {
    for (kind, allocates, expected) in [
        ("ClusterIP", None, "services.loadbalancers=0,services.nodeports=0"),
        ("NodePort", None, "services.loadbalancers=0,services.nodeports=2"),
        ("LoadBalancer", None, "services.loadbalancers=1,services.nodeports=2"),
        ("LoadBalancer", Some(false), "services.loadbalancers=1,services.nodeports=1"),
    ] {
        let mut service = Service::default();
        service.spec.type_ = kind.into();
        service.spec.allocate_load_balancer_node_ports = allocates;
        service.spec.ports = vec![Default::default(), Default::default()];
        service.spec.ports[1].node_port = 30_000;
        assert_eq!(used("services", &service), format!("count/services=1,services=1,{expected}"));
    }
}

#[test]
fn claims_use_storage_in_all_and_of_their_class() {
    let mut claim = PersistentVolumeClaim::default();
    claim.spec.resources.requests = list("storage=1500m");
    assert_eq!(
        used("persistentvolumeclaims", &claim),
        "count/persistentvolumeclaims=1,persistentvolumeclaims=1,requests.storage=2"
    );
    claim.spec.storage_class_name = Some("gold".into());
    claim.status.allocated_resources = list("storage=1Gi");
    assert_eq!(
        used("persistentvolumeclaims", &claim),
        "count/persistentvolumeclaims=1,gold.storageclass.storage.k8s.io/persistentvolumeclaims=1,\
         gold.storageclass.storage.k8s.io/requests.storage=1Gi,persistentvolumeclaims=1,requests.storage=1Gi"
    );
}

#[test]
fn claims_of_devices_use_what_they_may_come_to_hold() {
    let exactly = |count| ExactDeviceRequest {
        device_class_name: "gpu".into(),
        allocation_mode: "ExactCount".into(),
        count,
        ..ExactDeviceRequest::default()
    };
    let one_of = |class: &str, mode: &str, count| DeviceSubRequest {
        device_class_name: class.into(),
        allocation_mode: mode.into(),
        count,
        ..DeviceSubRequest::default()
    };
    let mut claim = ResourceClaim::default();
    claim.spec.devices.requests = vec![
        DeviceRequest { exactly: Some(Box::new(exactly(2))), ..DeviceRequest::default() },
        DeviceRequest {
            first_available: vec![
                one_of("gpu", "ExactCount", 1),
                one_of("gpu", "ExactCount", 3),
                one_of("nic", "All", 0),
            ],
            ..DeviceRequest::default()
        },
    ]
    .into();
    assert_eq!(
        shown(&measure("resource.k8s.io", "resourceclaims").usage(&claim, Time::EPOCH)),
        "count/resourceclaims.resource.k8s.io=1,gpu.deviceclass.resource.k8s.io/devices=5,\
         nic.deviceclass.resource.k8s.io/devices=32"
    );
}

#[test]
fn each_resource_has_its_names() {
    for (group, plural, name, has) in [
        ("", "pods", "requests.cpu", true),
        ("", "pods", "requests.storage", false),
        ("", "pods", "requests.example.com/gpu", true),
        ("", "pods", "example.com/gpu", false),
        ("", "pods", "requests.deviceclass.resource.kubernetes.io/gpu", true),
        ("", "pods", "hugepages-2Mi", true),
        ("", "pods", "count/pods", true),
        ("", "services", "services.nodeports", true),
        ("", "persistentvolumeclaims", "gold.storageclass.storage.k8s.io/requests.storage", true),
        ("", "configmaps", "configmaps", true),
        ("", "configmaps", "count/configmaps", true),
        ("", "endpoints", "endpoints", false),
        ("apps", "deployments", "count/deployments.apps", true),
        ("apps", "deployments", "count/deployments", false),
        ("example.com", "widgets", "count/widgets.example.com", true),
    ] {
        assert_eq!(measure(group, plural).has(name), has, "{plural} {name}");
    }
    assert!(Measure::of("events.k8s.io", "events").is_none() && Measure::of("", "bindings").is_none());
}

#[test]
fn scopes_pick_objects() {
    let quota = |scope: &str, operator: &str, values: &[&str]| {
        let one = ScopedResourceSelectorRequirement {
            scope_name: scope.into(),
            operator: operator.into(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        };
        let mut quota = ResourceQuota::default();
        quota.spec.scope_selector = Some(Box::new(ScopeSelector { match_expressions: vec![one] }));
        quota
    };
    let pods = measure("", "pods");
    let mut high = pod(vec![container("a", "cpu=1", "")]);
    high.spec.priority_class_name = "high".into();
    high.spec.active_deadline_seconds = Some(5);
    let plain = pod(vec![container("a", "", "")]);
    for (scope, operator, values, picks_high, picks_plain) in [
        ("PriorityClass", "In", &["high", "low"][..], true, false),
        ("PriorityClass", "NotIn", &["high"], false, true),
        ("PriorityClass", "Exists", &[], true, false),
        ("PriorityClass", "DoesNotExist", &[], false, true),
        ("Terminating", "Exists", &[], true, false),
        ("NotTerminating", "Exists", &[], false, true),
        ("BestEffort", "Exists", &[], false, true),
        ("NotBestEffort", "Exists", &[], true, false),
        ("CrossNamespacePodAffinity", "Exists", &[], false, false),
        ("VolumeAttributesClass", "Exists", &[], false, false),
    ] {
        let quota = quota(scope, operator, values);
        assert_eq!(
            (pods.fits(&quota, &high), pods.fits(&quota, &plain)),
            (picks_high, picks_plain),
            "{scope}"
        );
    }
    let mut claim = PersistentVolumeClaim::default();
    claim.status.current_volume_attributes_class_name = Some("fast".into());
    let claims = measure("", "persistentvolumeclaims");
    assert!(claims.fits(&quota("VolumeAttributesClass", "In", &["fast"]), &claim));
    assert!(!claims.fits(&quota("VolumeAttributesClass", "In", &["slow"]), &claim));
    assert!(!measure("", "services").fits(&quota("BestEffort", "Exists", &[]), &Service::default()));
}

fn some_pod() -> impl Strategy<Value = Pod> {
    let phases = prop::sample::select(vec!["Pending", "Running", "Succeeded"]);
    let request = (0..5000i64, 0..100i64);
    (phases, prop::collection::vec(request, 0..3), prop::collection::vec((0..3000i64, any::<bool>()), 0..3))
        .prop_map(|(phase, main, init)| {
            let main = main
                .iter()
                .map(|(cpu, gpus)| container("", &format!("cpu={cpu}m,example.com/gpu={gpus}"), ""));
            let mut made = pod(main.collect());
            made.spec.init_containers = init
                .iter()
                .map(|(cpu, sidecar)| Container {
                    restart_policy: sidecar.then(|| "Always".to_owned()),
                    ..container("", &format!("cpu={cpu}m"), "")
                })
                .collect();
            made.status.phase = phase.into();
            made
        })
}

proptest! {
    #[test]
    fn the_usage_of_pods_is_the_sum_of_their_usages(pods in prop::collection::vec(some_pod(), 0..8)) {
        let pods_measure = measure("", "pods");
        let mut quota = ResourceQuota::default();
        quota.spec.hard = list("pods=9,requests.cpu=9,requests.example.com/gpu=9,count/pods=9");
        let mut sum = ResourceList::new();
        for pod in &pods {
            api_meta::resources::add(&mut sum, &pods_measure.usage(pod, Time::EPOCH));
        }
        let objects: Vec<Arc<dyn Record>> = pods.into_iter().map(|pod| Arc::new(pod) as Arc<dyn Record>).collect();
        let counted = total(&pods_measure, &quota, objects.into_iter(), Time::EPOCH);
        prop_assert_eq!(nonzero(counted.clone()), nonzero(crate::within(&sum, &counted)));
        prop_assert_eq!(counted.len(), 4);
    }

    #[test]
    fn what_is_charged_for_a_change_and_given_back_for_it_are_the_same(before in some_pod(), after in some_pod()) {
        let pods = measure("", "pods");
        let (old, new) = (pods.usage(&before, Time::EPOCH), pods.usage(&after, Time::EPOCH));
        let mut used = old.clone();
        api_meta::resources::add(&mut used, &rise(&new, &old));
        api_meta::resources::subtract(&mut used, &rise(&old, &new));
        prop_assert_eq!(nonzero(used), nonzero(new));
    }
}
