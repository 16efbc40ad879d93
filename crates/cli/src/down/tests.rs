//! Taking a cluster down, with pods that exist in memory only; purging never takes what is not ours.

use std::collections::BTreeSet;
use std::sync::Mutex;

use super::*;
use crate::kubeconfig::Access;

#[derive(Default)]
struct Pods(Mutex<BTreeSet<String>>);

impl Machine for Pods {
    fn pods(&self) -> Result<BTreeSet<String>, MachineError> {
        Ok(self.0.lock().unwrap().clone())
    }

    fn stop_pods(&self, pods: &BTreeSet<String>, done: &mut dyn FnMut(&str)) -> Result<(), MachineError> {
        pods.iter().for_each(|pod| done(pod));
        self.0.lock().unwrap().retain(|pod| !pods.contains(pod));
        Ok(())
    }

    fn clear(&self) -> Result<Vec<String>, MachineError> {
        Ok(Vec::new())
    }
}

struct Home(PathBuf);

impl Surroundings for Home {
    fn variable(&self, name: &str) -> Option<String> {
        (name == "HOME").then(|| self.0.display().to_string())
    }
    fn variables(&self) -> Vec<String> {
        Vec::new()
    }
    fn read(&self, _: &Path) -> io::Result<Option<String>> {
        Ok(None)
    }
    fn list(&self, _: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }
    fn current_dir(&self) -> PathBuf {
        "/".into()
    }
    fn host_name(&self) -> String {
        "box".to_owned()
    }
}

fn access(place: &Place) -> Access {
    let pem = |text: &str| format!("{text}\n");
    Access {
        name: place.context(),
        server: "https://127.0.0.1:1".into(),
        authority_pem: pem("a"),
        certificate_pem: pem("c"),
        key_pem: pem("k"),
    }
}

fn taken_down(place: &Place, purge: bool, pods: &Pods, home: &Path) -> String {
    let mut out = Vec::new();
    down(place, purge, pods, &Home(home.to_owned()), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn down_stops_the_pods_and_says_what_it_left_and_purge_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::new(dir.path().join("data"), None);
    fs::create_dir_all(place.data_dir.join("server")).unwrap();
    let pods = Pods(Mutex::new(["default/web".to_owned()].into()));
    let text = taken_down(&place, false, &pods, dir.path());
    assert!(text.starts_with("Stopping 1 pod\n  default/web\nLeft: the cluster's data in "), "{text}");
    assert!(text.contains("knarr down --purge --data-dir "), "{text}");

    let users = dir.path().join(".kube/config");
    file::write(&place.kubeconfig, &access(&place), 0o600, None).unwrap();
    file::merge_into(&users, &access(&place), None).unwrap();
    let text = taken_down(&place, true, &pods, dir.path());
    assert!(text.starts_with("Nothing was running\n"), "{text}");
    assert!(!users.exists() && !place.data_dir.exists(), "{text}");
    assert_eq!(taken_down(&place, true, &pods, dir.path()), "Nothing was running\n");
}

#[test]
fn what_is_not_ours_is_not_deleted() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.txt"), "years of work").unwrap();
    let place = Place::new(dir.path().to_owned(), None);
    let error = purge(&place, &Home(dir.path().to_owned()), &mut Vec::new()).expect_err("not ours");
    assert!(matches!(error, DownError::Foreign(_)), "{error}");
    assert!(dir.path().join("thesis.txt").exists());
}

#[test]
fn mounts_within_are_found() {
    let text = "36 35 98:0 / /data/a\\040b rw - ext4 /dev/x rw\n37 35 0:1 / /data rw - tmpfs t rw\n38 35 0:1 / /database rw - tmpfs t rw\n";
    assert_eq!(mounts_below(text, Path::new("/data")), [PathBuf::from("/data/a b")]);
}
