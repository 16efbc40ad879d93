//! Field selectors, as their rows read them.

use api_kinds_all::row;
use api_types::certificates::v1::PodCertificateRequest;
use api_types::resource::v1::ResourceSlice;

#[test]
fn a_path_is_read_as_upstream_lets_one_select_it() {
    let requests = row("certificates.k8s.io", "podcertificaterequests").expect("it is served");
    let mut request = PodCertificateRequest::default();
    "one".clone_into(&mut request.spec.node_name);
    assert_eq!(requests.selectable(), ["spec.signerName", "spec.podName", "spec.nodeName"]);
    assert_eq!(requests.select(&request, "spec.nodeName").as_deref(), Some("one"));
    assert_eq!(requests.select(&request, "spec.serviceAccountName"), None);

    let slices = row("resource.k8s.io", "resourceslices").expect("it is served");
    let mut slice = ResourceSlice::default();
    assert_eq!(slices.select(&slice, "spec.nodeName").as_deref(), Some(""));
    slice.spec.node_name = Some("two".to_owned());
    "pool".clone_into(&mut slice.spec.pool.name);
    assert_eq!(slices.select(&slice, "spec.nodeName").as_deref(), Some("two"));
    assert_eq!(slices.select(&slice, "spec.pool.name").as_deref(), Some("pool"));
}
