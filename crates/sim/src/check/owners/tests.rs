//! A pod that is taken from who controls it.

use api_types::core::v1::Pod;
use serde_json::json;

use super::*;
use crate::check::trial::{Trial, meta};

#[test]
fn what_is_controlled_is_let_go_before_another_takes_it() {
    let mut trial = Trial::of(Owners);
    let pod = |owner| json!({"metadata": meta("a", owner)});
    assert_eq!(trial.write::<Pod>(&pod(Some(("Job", "one")))), Ok(()));
    let taken = trial.write::<Pod>(&pod(Some(("Job", "two"))));
    assert_eq!(taken, Err("Job one controlled it, and now Job two does".to_owned()));
    assert_eq!(trial.write::<Pod>(&pod(None)), Ok(()));
    assert_eq!(trial.write::<Pod>(&pod(Some(("Job", "two")))), Ok(()));
}
