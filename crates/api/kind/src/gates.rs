//! Feature gates: which features that a release holds are on.

use std::collections::BTreeMap;

/// Features by name. A feature that nobody has set is as upstream's release has it: on, unless listed in [`OFF`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gates {
    named: BTreeMap<String, bool>,
}

/// The features that Kubernetes 1.37 leaves off.
const OFF: &[&str] = &[
    "APIServerWebhookAuthenticationToken",
    "APIServingWithRoutine",
    "AllowDNSOnlyNodeCSR",
    "AllowInsecureKubeletCertificateSigningRequests",
    "AllowOverwriteTerminationGracePeriodSeconds",
    "AtomicWriteVolumeUserFields",
    "CBORServingAndStorage",
    "CPUManagerPolicyAlphaOptions",
    "CRIListStreaming",
    "CSIVolumeHealth",
    "ChangeContainerStatusOnKubeletRestart",
    "CloudControllerManagerWatchBasedRoutesReconciliation",
    "CloudControllerManagerWebhook",
    "CompositePodGroup",
    "ConsistentListFromCacheSkipTimeoutFallback",
    "ContainerStopSignals",
    "CoordinatedLeaderElection",
    "CrossNamespaceVolumeDataSource",
    "DRADerivedAttributes",
    "DRADeviceCompatibilityGroups",
    "DRAListTypeAttributes",
    "DRANodeAllocatableResources",
    "DRAOptionalNodeOperations",
    "DRAPartitionableDevicesType",
    "DRAResourcePoolStatus",
    "DRAWorkloadResourceClaims",
    "DeclarativeValidationTakeover",
    "DefaultPodSysctls",
    "EmptyDirVolumeMode",
    "EventedPLEG",
    "EvictionRequestAPI",
    "GRPCContainerProbeTLS",
    "GenericWorkload",
    "GitRepoVolumeDriver",
    "H2CContainerProbe",
    "ImageVolumeWithDigest",
    "InPlacePodVerticalScalingExclusiveCPUs",
    "InPlacePodVerticalScalingExclusiveMemory",
    "InPlacePodVerticalScalingMemoryBackedVolumes",
    "InPlacePodVerticalScalingSchedulerPreemption",
    "InterPodAffinityHostnameFastPath",
    "KMSv1",
    "KubeProxyNFTablesLocalhostNodePorts",
    "KubeletAllocatedPodsEndpoint",
    "KubeletRegistrationGetOnExistsOnly",
    "LocalStorageCapacityIsolationFSQuotaMonitoring",
    "MutablePVNodeAffinity",
    "NodeLifecycleConditions",
    "PodAndContainerStatsFromCRI",
    "PodGroupPreemptionPolicy",
    "PodLevelResourceManagers",
    "PodLogsQuerySplitStreams",
    "QOSReserved",
    "ReduceDefaultCrashLoopBackOffDecay",
    "RuntimeClassInImageCriAPI",
    "SchedulerAsyncAPICalls",
    "SchedulerPreQueueingHints",
    "ShardedListAndWatch",
    "StatefulSetRecreateStrategy",
    "StorageVersionAPI",
    "TaintTolerationComparisonOperators",
    "TopologyAwareWorkloadScheduling",
    "TopologyManagerPolicyAlphaOptions",
    "UserNamespacesHostNetworkSupport",
    "VolumeBindMountOptions",
    "WindowsCPUAndMemoryAffinity",
    "WindowsHostNetwork",
    "WorkloadWithJob",
];

impl Gates {
    /// Switches a feature on or off.
    pub fn set(&mut self, feature: &str, on: bool) {
        self.named.insert(feature.to_owned(), on);
    }

    /// Whether a feature is on.
    pub fn is_on(&self, feature: &str) -> bool {
        self.named.get(feature).copied().unwrap_or_else(|| !OFF.contains(&feature))
    }
}
