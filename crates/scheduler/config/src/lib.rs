//! Reads `KubeSchedulerConfiguration`: what it says, what is wrong with it, and what the scheduler makes of it.
//!
//! Layer: beside `scheduler`, above `api`. It opens no file: whoever runs a scheduler hands it the text.
//!
//! Entry point: [`read`], giving a [`Configuration`] with the [`scheduler::Config`] and the [`Extender`]s in it, or an [`Error`].
//!
//! How it works: `types` are the records that YAML or JSON is decoded into, strictly, each plugin's arguments too (`args`);
//! defaults are filled in; `validate` says what upstream's validation says; `plugins` knows which plugin works at which
//! extension point, and works out what is enabled at each; `profile` makes the scheduler's own profiles of it, `extenders` whom to ask.
//!
//! Invariants: nothing is passed over in silence that changes where pods go: what this scheduler cannot do is an error.
//!
//! State: none. Failure: a configuration that is wrong gives no scheduler. Limits: [`MAX_BYTES`].
//!
//! Honoured are profiles with plugins, weights and arguments, `extenders`, `percentageOfNodesToScore`, back-offs, and
//! `leaderElection.leaderElect`. Not honoured, as no decision depends on it: parallelism, profiling, and how often the API may be
//! asked; the kubeconfig is a flag's. A plugin that is taken from a point other than filtering, scoring and post-filtering
//! still does there what it does.
//!
//! Upstream behaviour answered to: `pkg/scheduler/apis/config` of k8s.io/kubernetes v1.37.1 with its defaults and validation, and
//! `framework/runtime`, which puts plugins to their points.
//!
//! How to test: `cargo test -p scheduler-config`.

mod args;
mod extenders;
mod plugins;
mod profile;
#[cfg(test)]
mod tests;
mod types;
mod validate;

use std::time::Duration;

use api_codec::limits::Limits;
use api_codec::{DecodeError, Strictness, json, yaml};
use api_meta::field::ErrorList;

pub use extenders::{Extender, Material, TIMEOUT, Tls};

use args::Args;
use types::KubeSchedulerConfiguration;

/// The largest configuration that is read, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

const API_VERSION: &str = "kubescheduler.config.k8s.io/v1";
const KIND: &str = "KubeSchedulerConfiguration";

/// What a configuration says.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// For the scheduler.
    pub scheduler: scheduler::Config,
    /// Whom to ask beside it, in this order.
    pub extenders: Vec<Extender>,
    /// Whether a lease decides who works, if the configuration says so.
    pub leader_elect: Option<bool>,
    /// The file that says how the API is reached; empty for none.
    pub kubeconfig: String,
}

/// Why a configuration cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub enum Error {
    /// It is no configuration; the text is upstream's.
    Undecodable(String),
    /// It is wrong in these places.
    Invalid(ErrorList),
    /// The plugins of a profile do not fit together.
    Profile {
        /// The profile's `schedulerName`.
        name: String,
        /// What is wrong with them.
        reason: String,
    },
    /// It asks for what this scheduler cannot do.
    Unsupported(String),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Undecodable(text) | Error::Unsupported(text) => f.write_str(text),
            Error::Invalid(errors) => errors.fmt(f),
            Error::Profile { name, reason } => {
                write!(f, "initializing profiles: creating profile for scheduler name {name}: {reason}")
            }
        }
    }
}

impl std::error::Error for Error {}

/// A configuration with the arguments of its plugins, profile by profile.
struct Told {
    whole: KubeSchedulerConfiguration,
    args: Vec<Vec<Args>>,
}

/// Reads a configuration of YAML or JSON.
///
/// # Errors
/// When it cannot be decoded strictly, is invalid, or asks for what cannot be done.
pub fn read(text: &[u8]) -> Result<Configuration, Error> {
    let told = decode(text)?;
    let errors = validate::errors(&told);
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    let profiles = told.whole.profiles.iter().zip(&told.args);
    let mut profiles: Vec<scheduler::Profile> =
        profiles.map(|(profile, args)| profile::profile(profile, args)).collect::<Result<_, _>>()?;
    let ignored = extenders::ignored(&told.whole.extenders);
    if !ignored.is_empty() {
        profiles.iter_mut().for_each(|profile| profile.fit.ignored.clone_from(&ignored));
    }
    let seconds = |of: Option<i64>| Duration::from_secs(of.unwrap_or_default().unsigned_abs());
    Ok(Configuration {
        scheduler: scheduler::Config {
            profiles,
            percentage_of_nodes_to_score: profile::percentage(told.whole.percentage_of_nodes_to_score)
                .unwrap_or_default(),
            initial_back_off: seconds(told.whole.pod_initial_backoff_seconds),
            max_back_off: seconds(told.whole.pod_max_backoff_seconds),
            ..scheduler::Config::default()
        },
        extenders: extenders::all(&told.whole.extenders),
        leader_elect: told.whole.leader_election.leader_elect,
        kubeconfig: told.whole.client_connection.kubeconfig,
    })
}

fn limits() -> Limits {
    Limits { bytes: MAX_BYTES }
}

/// Decodes strictly, and fills in defaults.
fn decode(text: &[u8]) -> Result<Told, Error> {
    let undecodable = |error: DecodeError| Error::Undecodable(error.to_string());
    let mut strict = Strictness::default();
    let text = yaml::to_json_strict(text, &mut strict, limits()).map_err(undecodable)?;
    let meta = json::type_meta(&text, limits()).map_err(undecodable)?;
    if meta.kind.is_empty() || meta.api_version.is_empty() {
        let missing = if meta.kind.is_empty() { "Kind" } else { "apiVersion" };
        let shown = String::from_utf8_lossy(&text);
        return Err(Error::Undecodable(format!("Object '{missing}' is missing in '{shown}'")));
    }
    if (meta.api_version.as_str(), meta.kind.as_str()) != (API_VERSION, KIND) {
        return Err(Error::Undecodable(format!(
            "no kind \"{}\" is registered for version \"{}\" in scheme \"pkg/scheduler/apis/config/scheme/scheme.go:30\"",
            meta.kind, meta.api_version
        )));
    }
    let mut whole = KubeSchedulerConfiguration::default();
    json::decode(&text, &mut whole, Some(&mut strict), limits()).map_err(undecodable)?;
    let mut objections = strict.errors().to_vec();
    if whole.profiles.is_empty() {
        whole.profiles.push(types::KubeSchedulerProfile::default());
    }
    let mut args = Vec::new();
    for (at, profile) in whole.profiles.iter().enumerate() {
        let mut of_profile = Vec::new();
        for (index, config) in profile.plugin_config.iter().enumerate() {
            let place = format!("decoding .profiles[{at}].pluginConfig[{index}]");
            let wrong = |error: String| Error::Undecodable(format!("{place}: {error}"));
            let (decoded, unknown) = Args::decode(&config.name, config.args.text()).map_err(wrong)?;
            if !unknown.is_empty() {
                let says = format!("decoding args for plugin {}: {}", config.name, strictly(&unknown));
                objections.push(format!("{place}: {}", strictly(&[says])));
            }
            of_profile.push(decoded);
        }
        args.push(of_profile);
    }
    if !objections.is_empty() {
        return Err(Error::Undecodable(strictly(&objections)));
    }
    fill_in(&mut whole);
    Ok(Told { whole, args })
}

fn strictly(objections: &[String]) -> String {
    format!("strict decoding error: {}", objections.join(", "))
}

fn fill_in(whole: &mut KubeSchedulerConfiguration) {
    whole.parallelism.get_or_insert(16);
    whole.percentage_of_nodes_to_score.get_or_insert(0);
    whole.pod_initial_backoff_seconds.get_or_insert(1);
    whole.pod_max_backoff_seconds.get_or_insert(10);
    if whole.leader_election.resource_lock.is_empty() {
        whole.leader_election.resource_lock = "leases".into();
    }
    // Several profiles have to be told apart by those who write them.
    if let [only] = whole.profiles.as_mut_slice() {
        only.scheduler_name.get_or_insert_with(|| "default-scheduler".into());
    }
}
