//! The node agent: kubelet's place.
