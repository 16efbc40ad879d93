//! A command line made whole: what the environment and the configuration file say is added to the flags, then each command gets
//! its typed configuration.
//!
//! Used by the binary's `main`. A flag's precedence is command line, environment, file, what the cluster was made with, default; a list
//! is taken from one of them.
//! Both other sources become words of the command line, so that clap alone decides what a value is. Deliberately absent: doing
//! what the command says.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgMatches, FromArgMatches};

use crate::arguments::{
    self, Arguments, Command, CommonFlags, ImageCommand, LocalFlags, ServerFlags, ServiceCommand, flags,
};
use crate::config::file::{self, FileError, Key, Setting};
use crate::config::{self, AgentConfig, CONFIG_FILE, ConfigError, Defaults, Place, ServerConfig, kept};
use crate::instance::{self, Role};
use crate::limits;
use crate::nearest::nearest;
use crate::surroundings::Surroundings;

mod words;

pub use words::ServerWords;

/// What a process exits with whose command line, environment or configuration file is wrong: as clap has it.
pub const MISUSED: u8 = 2;

/// What to do, with all that it needs.
#[derive(Debug)]
pub enum Invocation {
    /// Run a server.
    Server(Box<ServerConfig>),
    /// Run an agent.
    Agent(Box<AgentConfig>),
    /// Run the controllers alone.
    ControllerManager(Box<flags::ControllerManagerFlags>),
    /// Run the scheduler alone.
    Scheduler(flags::SchedulerFlags),
    /// Start a server in the background.
    Up(Box<ServerConfig>, ServerWords),
    /// Stop everything; purge if true.
    Down(Place, bool),
    /// Install the service.
    ServiceInstall(Box<ServerConfig>, ServerWords),
    /// Remove the service.
    ServiceRemove(Place),
    /// Show what runs.
    Status(Place),
    /// Show the log.
    Logs(Place, crate::logs::Want),
    /// Check the machine.
    Check(Box<ServerConfig>),
    /// List the node's pods.
    Ps(Place, PsWant),
    /// Show a pod or container.
    Inspect(Place, String),
    /// Run kubectl with these arguments.
    Kubectl(Place, Vec<OsString>),
    /// Print the kubeconfig; merge it if true.
    Kubeconfig(Place, bool),
    /// Work on the node's images.
    Image(Place, Box<ImageCommand>),
    /// Say why an object is as it is.
    Why(Box<arguments::WhyArguments>),
    /// Say what would become of files if they were applied.
    Plan(Box<arguments::PlanArguments>),
    /// Print a completion script.
    Completion(clap_complete::Shell),
    /// Be a shim.
    Shim(Vec<OsString>),
    /// Be the DNS server.
    Dns(Vec<OsString>),
}

/// What `ps` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PsWant {
    /// Include what has ended.
    pub all: bool,
    /// As JSON.
    pub json: bool,
}

/// Why a command line cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum InvocationError {
    /// The words are wrong, or they ask for help or the version.
    #[error("{0}")]
    Words(Box<clap::Error>),
    /// A variable's value is wrong.
    #[error("{variable}: {problem}")]
    Variable {
        /// Its name.
        variable: String,
        /// What is wrong.
        problem: String,
    },
    /// A variable begins with `KNARR_` and means nothing.
    #[error("unknown environment variable {name}{}", suggestion.map(|name| format!("; did you mean {name}?")).unwrap_or_default())]
    UnknownVariable {
        /// Its name.
        name: String,
        /// What it may have meant.
        suggestion: Option<&'static str>,
    },
    /// The configuration file is wrong.
    #[error(transparent)]
    File(#[from] FileError),
    /// The configuration file is wrong, for a command that needs no more of it than which cluster is meant.
    #[error("which cluster is meant? Give --data-dir, or mend the configuration file")]
    WhichCluster(#[source] FileError),
    /// A value of the configuration file is wrong.
    #[error("{path}: {problem}")]
    Value {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The file that was asked for is not there.
    #[error("the configuration file {0} does not exist")]
    NoFile(PathBuf),
    /// There are more drop-ins than anyone has.
    #[error("{0} holds more than {limit} files", limit = limits::DROP_INS)]
    DropIns(PathBuf),
    /// The token file cannot be read.
    #[error("cannot read --token-file {path}")]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Values do not go together.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl InvocationError {
    /// Prints the error, or the help or version that was asked for, and returns the process's exit code.
    pub fn print(&self) -> u8 {
        // A closed pipe is no reason to fail otherwise.
        match self {
            InvocationError::Words(error) => {
                let _ = error.print();
                u8::try_from(error.exit_code()).unwrap_or(MISUSED)
            }
            other => {
                let _ = writeln!(std::io::stderr(), "error: {}", base::error::Chain(other));
                MISUSED
            }
        }
    }
}

/// Reads a command line, the program's name first.
///
/// # Errors
/// For the first thing that is wrong with it, the environment or the configuration file.
pub fn read(words: Vec<OsString>, around: &dyn Surroundings) -> Result<Invocation, InvocationError> {
    let clap_error = |error| InvocationError::Words(Box::new(error));
    let command = arguments::command();
    let matches = command.clone().try_get_matches_from(&words).map_err(clap_error)?;
    let (path, leaf) = leaf(&command, &matches);
    if !takes_files(leaf.command) {
        let arguments = Arguments::from_arg_matches(&matches).map_err(clap_error)?;
        return resolve(arguments.command, ServerWords::default(), around);
    }
    refuse_unknown_variables(around)?;
    let from_environment = environment(&leaf, around)?;
    let from_file = files(&leaf, &from_environment, around)?;
    let whole = words[..=path]
        .iter()
        .cloned()
        .chain(from_environment.iter().chain(&from_file).map(OsString::from))
        .chain(words[path + 1..].iter().cloned());
    let given = words::given(leaf.command, leaf.matches, &from_environment, &from_file, &defaults(around));
    let matches = command.try_get_matches_from(whole).map_err(clap_error)?;
    let arguments = Arguments::from_arg_matches(&matches).map_err(clap_error)?;
    resolve(arguments.command, given, around)
}

/// The command that is meant in the end, as it is defined and as it was given.
struct Leaf<'a> {
    command: &'a clap::Command,
    matches: &'a ArgMatches,
}

impl Leaf<'_> {
    fn given(&self, long: &str) -> bool {
        self.command.get_arguments().any(|argument| {
            argument.get_long() == Some(long)
                && self.matches.value_source(argument.get_id().as_str()) == Some(ValueSource::CommandLine)
        })
    }

    fn takes(&self, long: &str) -> bool {
        self.command.get_arguments().any(|argument| argument.get_long() == Some(long))
    }
}

/// The innermost subcommand, and which word names it. No flag stands before a subcommand, so words and depth agree.
fn leaf<'a>(command: &'a clap::Command, matches: &'a ArgMatches) -> (usize, Leaf<'a>) {
    let mut depth = 0;
    let mut leaf = Leaf { command, matches };
    while let Some((name, inner)) = leaf.matches.subcommand()
        && let Some(command) = leaf.command.find_subcommand(name)
    {
        depth += 1;
        leaf = Leaf { command, matches: inner };
    }
    (depth, leaf)
}

fn takes_files(command: &clap::Command) -> bool {
    command.get_arguments().any(flags::is_config)
}

/// Kubernetes gives a pod variables for each service of its namespace, and one may be named `knarr`.
fn is_service_link(name: &str) -> bool {
    ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT"]
        .iter()
        .any(|part| name.ends_with(part) || name.contains(&format!("{part}_")))
}

fn refuse_unknown_variables(around: &dyn Surroundings) -> Result<(), InvocationError> {
    let known = || flags::VARIABLES.iter().map(|(_, variable)| *variable);
    for name in around.variables() {
        let ours = name.starts_with("KNARR_") && !name.starts_with("KNARR_TEST_") && !is_service_link(&name);
        if ours && !known().any(|variable| variable == name) && name != "KNARR_COMMIT" {
            let suggestion = nearest(&name, known());
            return Err(InvocationError::UnknownVariable { name, suggestion });
        }
    }
    Ok(())
}

/// What the environment gives, as words: flags that the command takes and its line does not have.
fn environment(leaf: &Leaf<'_>, around: &dyn Surroundings) -> Result<Vec<String>, InvocationError> {
    let mut words = Vec::new();
    for (flag, variable) in flags::VARIABLES {
        if !leaf.takes(flag) || outranked(leaf, flag) {
            continue;
        }
        if let Some(value) = around.variable(variable) {
            let word = format!("--{flag}={value}");
            try_alone(leaf.command, &word)
                .map_err(|problem| InvocationError::Variable { variable: variable.to_owned(), problem })?;
            words.push(word);
        }
    }
    if words.iter().any(|word| word.starts_with("--token=")) {
        words.retain(|word| !word.starts_with("--token-file="));
    }
    Ok(words)
}

/// Whether the line already says what this flag would: a token is one thing, however it is given.
fn outranked(leaf: &Leaf<'_>, flag: &str) -> bool {
    match flag {
        "token" | "token-file" => leaf.given("token") || leaf.given("token-file"),
        other => leaf.given(other),
    }
}

/// What the files give, as words: flags that neither the command's line nor the environment has.
fn files(
    leaf: &Leaf<'_>,
    from_environment: &[String],
    around: &dyn Surroundings,
) -> Result<Vec<String>, InvocationError> {
    let has = |flag: &str| {
        let prefix = format!("--{flag}=");
        outranked(leaf, flag) || from_environment.iter().any(|word| word.starts_with(&prefix))
    };
    let read = || -> Result<_, InvocationError> {
        Ok(file::merge(&texts(leaf, from_environment, around)?, &keys())?)
    };
    // What looks for a cluster needs no more of the files than which one is meant: a server that they keep from starting must have its
    // log shown and be taken down.
    let looks = !leaf.takes("https-listen-port") && !leaf.takes("server");
    let settings = match read() {
        Err(InvocationError::File(_)) if looks && has("data-dir") => return Ok(Vec::new()),
        Err(InvocationError::File(error)) if looks => return Err(InvocationError::WhichCluster(error)),
        other => other?,
    };
    let token = ["token", "token-file"].iter().any(|flag| has(flag));
    let mut words = Vec::new();
    for (key, Setting { values, path }) in settings {
        if !leaf.takes(&key) || has(&key) || (token && key.starts_with("token")) {
            continue;
        }
        for value in values {
            let word = format!("--{key}={value}");
            try_alone(leaf.command, &word)
                .map_err(|problem| InvocationError::Value { path: path.clone(), problem })?;
            words.push(word);
        }
    }
    Ok(words)
}

/// The configuration file and its drop-ins, in the order of their rank.
fn texts(
    leaf: &Leaf<'_>,
    from_environment: &[String],
    around: &dyn Surroundings,
) -> Result<Vec<(PathBuf, String)>, InvocationError> {
    let given = leaf.matches.try_get_one::<PathBuf>("config").ok().flatten().cloned().or_else(|| {
        from_environment.iter().find_map(|word| word.strip_prefix("--config=")).map(PathBuf::from)
    });
    let path = config::absolute(given.as_deref().unwrap_or(Path::new(CONFIG_FILE)), &defaults(around));
    let mut texts = Vec::new();
    let mut read = |path: &Path| match around.read(path) {
        Ok(Some(text)) => {
            texts.push((path.to_owned(), text));
            Ok(true)
        }
        Ok(None) => Ok(false),
        Err(source) => Err(FileError::Read { path: path.to_owned(), source }),
    };
    if !read(&path)? && given.is_some() {
        return Err(InvocationError::NoFile(path));
    }
    let mut directory = path.into_os_string();
    directory.push(".d");
    let directory = PathBuf::from(directory);
    let found =
        around.list(&directory).map_err(|source| FileError::Read { path: directory.clone(), source })?;
    if found.len() > limits::DROP_INS {
        return Err(InvocationError::DropIns(directory));
    }
    for path in found.iter().filter(|path| path.extension().is_some_and(|end| end == "yaml" || end == "yml"))
    {
        read(path)?;
    }
    Ok(texts)
}

/// Every key that a file may hold: the flags of server and agent, for one file may serve both.
fn keys() -> BTreeMap<String, Key> {
    let command = arguments::command();
    let mut keys = BTreeMap::new();
    for name in ["server", "agent"] {
        let arguments = command.find_subcommand(name).into_iter().flat_map(clap::Command::get_arguments);
        for argument in arguments.filter(|argument| !argument.is_hide_set()) {
            if let Some(long) = argument.get_long().filter(|long| !matches!(*long, "config" | "help")) {
                let repeated = matches!(argument.get_action(), clap::ArgAction::Append);
                keys.insert(long.to_owned(), Key { repeated });
            }
        }
    }
    keys
}

/// Whether the value is one that the flag takes, told without all the other words.
fn try_alone(command: &clap::Command, word: &str) -> Result<(), String> {
    let options = command.get_arguments().filter(|argument| argument.get_long().is_some());
    let alone = clap::Command::new("alone")
        .disable_help_flag(true)
        .args(options.cloned().map(|arg| arg.required(false)));
    match alone.try_get_matches_from(["alone", word]) {
        Ok(_) => Ok(()),
        Err(error) => {
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            Err(line.strip_prefix("error: ").unwrap_or(line).to_owned())
        }
    }
}

fn defaults(around: &dyn Surroundings) -> Defaults {
    Defaults { current_dir: around.current_dir(), host_name: around.host_name() }
}

fn resolve(
    command: Command,
    words: ServerWords,
    around: &dyn Surroundings,
) -> Result<Invocation, InvocationError> {
    let defaults = defaults(around);
    let place = |flags: &LocalFlags| instance::settled(config::local(flags, &defaults), around);
    let kept = |common: &CommonFlags, role: Role| {
        let place = config::local(&LocalFlags { common: common.clone(), ..LocalFlags::default() }, &defaults);
        instance::noted(&place, role, around).map(|record| record.kept).unwrap_or_default()
    };
    let server = |mut flags: ServerFlags| -> Result<Box<ServerConfig>, InvocationError> {
        let kept = kept(&flags.common, Role::Server);
        kept::fill_server(&mut flags, &kept);
        let token = token_text(flags.token_file.as_deref(), &defaults, around)?;
        Ok(Box::new(config::server(&flags, token.as_deref(), &defaults)?))
    };
    Ok(match command {
        Command::Server(flags) => Invocation::Server(server(flags)?),
        Command::Up(flags) => Invocation::Up(server(flags)?, words),
        Command::Check(flags) => Invocation::Check(server(flags)?),
        Command::Service(ServiceCommand::Install(flags)) => {
            Invocation::ServiceInstall(server(*flags)?, words)
        }
        Command::Service(ServiceCommand::Remove(flags)) => Invocation::ServiceRemove(place(&flags)),
        Command::Agent(mut flags) => {
            let kept = kept(&flags.common, Role::Agent);
            kept::fill_agent(&mut flags, &kept);
            let token = token_text(flags.token_file.as_deref(), &defaults, around)?;
            Invocation::Agent(Box::new(config::agent(&flags, token.as_deref(), &defaults)?))
        }
        Command::ControllerManager(flags) => Invocation::ControllerManager(Box::new(flags)),
        Command::Scheduler(flags) => Invocation::Scheduler(flags),
        Command::Down(down) => Invocation::Down(place(&down.local), down.purge),
        Command::Status(flags) => Invocation::Status(place(&flags)),
        Command::Logs(logs) => {
            let want = crate::logs::Want { follow: logs.follow, tail: logs.tail };
            Invocation::Logs(place(&logs.local), want)
        }
        Command::Ps(ps) => Invocation::Ps(place(&ps.local), PsWant { all: ps.all, json: ps.json }),
        Command::Inspect(inspect) => Invocation::Inspect(place(&inspect.local), inspect.what),
        Command::Kubectl(kubectl) => {
            let mut local =
                LocalFlags { write_kubeconfig: kubectl.write_kubeconfig, ..LocalFlags::default() };
            local.common.data_dir = kubectl.data_dir;
            Invocation::Kubectl(place(&local), kubectl.arguments)
        }
        Command::Kubeconfig(kubeconfig) => Invocation::Kubeconfig(place(&kubeconfig.local), kubeconfig.merge),
        Command::Image(image) => {
            let local = LocalFlags { common: image.common().clone(), ..LocalFlags::default() };
            Invocation::Image(place(&local), Box::new(image))
        }
        Command::Why(why) => Invocation::Why(Box::new(why)),
        Command::Plan(plan) => Invocation::Plan(Box::new(plan)),
        Command::Completion { shell } => Invocation::Completion(shell),
        Command::Shim(internal) => Invocation::Shim(internal.arguments),
        Command::Dns(internal) => Invocation::Dns(internal.arguments),
    })
}

fn token_text(
    path: Option<&Path>,
    defaults: &Defaults,
    around: &dyn Surroundings,
) -> Result<Option<String>, InvocationError> {
    let Some(path) = path.map(|path| config::absolute(path, defaults)) else { return Ok(None) };
    match around.read(&path) {
        Ok(Some(text)) => Ok(Some(text)),
        Ok(None) => Err(InvocationError::TokenFile { path, source: std::io::ErrorKind::NotFound.into() }),
        Err(source) => Err(InvocationError::TokenFile { path, source }),
    }
}

#[cfg(test)]
mod tests;
