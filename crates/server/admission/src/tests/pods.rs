//! What becomes of new pods.

use api_types::core::v1::{LocalObjectReference, Pod, ServiceAccount, Toleration, VolumeMount};
use api_types::scheduling::v1::PriorityClass;
use server_registry::admit::Operation;

use super::{Ask, World, named, pod};

const PODS: (&str, &str) = ("", "pods");

async fn create(world: World, mut pod: Pod) -> Result<Pod, String> {
    let name = pod.metadata.name.clone();
    let ask = Ask::to(Operation::Create, PODS, "default", &name);
    ask.admit(&world.chain(), Some(&mut pod), None).await.map(|()| pod)
}

#[tokio::test]
async fn a_plain_pod_is_given_what_every_pod_has() {
    let made = create(World::usual(), pod("web")).await.expect("admitted");
    assert_eq!(made.spec.service_account_name, "default");
    assert_eq!(made.spec.deprecated_service_account, "default");
    let volume = &made.spec.volumes[0];
    assert!(volume.name.starts_with("kube-api-access-") && volume.name.len() == "kube-api-access-".len() + 5);
    let mount = &made.spec.containers[0].volume_mounts[0];
    assert_eq!(mount.mount_path, "/var/run/secrets/kubernetes.io/serviceaccount");
    assert!(mount.name == volume.name && mount.read_only);
    let projected = volume.volume_source.projected.as_deref().expect("a projected volume");
    assert_eq!(projected.default_mode, Some(420));
    let token = projected.sources[0].service_account_token.as_deref().expect("a token");
    assert_eq!((token.expiration_seconds, token.path.as_str()), (Some(3607), "token"));
    let map = projected.sources[1].config_map.as_deref().expect("the authority");
    assert_eq!(map.local_object_reference.name, "kube-root-ca.crt");
    assert!(projected.sources[2].downward_api.is_some());
    assert_eq!(
        (made.spec.priority, made.spec.preemption_policy.as_deref()),
        (Some(0), Some("PreemptLowerPriority"))
    );
    let tolerated: Vec<_> =
        made.spec.tolerations.iter().map(|t| (t.key.as_str(), t.toleration_seconds)).collect();
    assert_eq!(
        tolerated,
        [("node.kubernetes.io/not-ready", Some(300)), ("node.kubernetes.io/unreachable", Some(300))]
    );
}

#[tokio::test]
async fn pods_and_accounts_say_whether_tokens_are_mounted() {
    for (of_pod, of_account, mounted) in [
        (None, None, true),
        (None, Some(false), false),
        (Some(true), Some(false), true),
        (Some(false), Some(true), false),
    ] {
        let account = ServiceAccount {
            metadata: named("default", "default"),
            automount_service_account_token: of_account,
            image_pull_secrets: vec![LocalObjectReference { name: "pull".into() }],
            ..ServiceAccount::default()
        };
        let mut asked = pod("web");
        asked.spec.automount_service_account_token = of_pod;
        let made = create(World::usual().with("serviceaccounts", account), asked).await.expect("admitted");
        assert_eq!(!made.spec.volumes.is_empty(), mounted, "{of_pod:?} {of_account:?}");
        assert_eq!(made.spec.image_pull_secrets[0].name, "pull");
    }
    let mut own = pod("web");
    own.spec.containers[0].volume_mounts = vec![VolumeMount {
        name: "own".into(),
        mount_path: "/var/run/secrets/kubernetes.io/serviceaccount".into(),
        ..VolumeMount::default()
    }];
    assert!(create(World::usual(), own).await.expect("admitted").spec.volumes.is_empty());
}

#[tokio::test]
async fn tolerations_that_a_pod_has_are_left_alone() {
    let mut asked = pod("web");
    asked.spec.tolerations = vec![Toleration { operator: "Exists".into(), ..Toleration::default() }];
    assert_eq!(create(World::usual(), asked).await.expect("admitted").spec.tolerations.len(), 1);
}

#[tokio::test]
async fn a_priority_is_its_classs() {
    let class = PriorityClass {
        metadata: named("", "high"),
        value: 7,
        global_default: true,
        preemption_policy: Some("Never".into()),
        ..PriorityClass::default()
    };
    let world = || World::usual().with("priorityclasses", class.clone());
    let made = create(world(), pod("web")).await.expect("admitted");
    assert_eq!((made.spec.priority_class_name.as_str(), made.spec.priority), ("high", Some(7)));
    assert_eq!(made.spec.preemption_policy.as_deref(), Some("Never"));
    let mut own = pod("web");
    own.spec.priority = Some(9);
    let refusal = create(world(), own).await.err();
    let message = "pods \"web\" is forbidden: the integer value of priority (9) must not be provided in pod spec; \
                   priority admission controller computed 7 from the given PriorityClass name";
    assert_eq!(refusal.as_deref(), Some(message));
    let mut unknown = pod("web");
    unknown.spec.priority_class_name = "nope".into();
    let message = "pods \"web\" is forbidden: no PriorityClass with name nope was found";
    assert_eq!(create(world(), unknown).await.err().as_deref(), Some(message));
}

#[tokio::test]
async fn accounts_must_be_there_and_may_limit_secrets() {
    let mut asked = pod("web");
    asked.spec.service_account_name = "nobody".into();
    let message = "pods \"web\" is forbidden: error looking up service account default/nobody: serviceaccount \
                   \"nobody\" not found";
    assert_eq!(create(World::usual(), asked).await.err().as_deref(), Some(message));
    let mut account = ServiceAccount { metadata: named("default", "default"), ..ServiceAccount::default() };
    account.metadata.annotations.insert("kubernetes.io/enforce-mountable-secrets".into(), "true".into());
    let mut asked = pod("web");
    asked.spec.image_pull_secrets = vec![LocalObjectReference { name: "mine".into() }];
    let message = "pods \"web\" is forbidden: imagePullSecrets[0].name=\"mine\" is not allowed because service \
                   account default does not reference that imagePullSecret";
    let refusal = create(World::usual().with("serviceaccounts", account), asked).await.err();
    assert_eq!(refusal.as_deref(), Some(message));
}
