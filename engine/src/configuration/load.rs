//! Reads the configuration: which file, what the environment sets above it, and what is wrong with both.

use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};

use super::sentence::{self, ENVIRONMENT_PREFIX};
use super::{Configuration, DATA_FOLDER, FILE_NAME, SYSTEM_FOLDER, validate};

/// Stands between a table and its key in the name of a variable.
const LEVEL: &str = "__";
const DATA_FOLDER_KEY: &str = "server.data_folder";

/// What is wrong with the configuration: one sentence per mistake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .problems.join("\n"))]
pub struct ConfigurationError {
    /// The sentences.
    pub problems: Vec<String>,
}

/// What the command line says about configuration.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// `--config`.
    pub file: Option<PathBuf>,
    /// `--data-folder`.
    pub data_folder: Option<PathBuf>,
}

impl Configuration {
    /// Reads file and environment and checks what can be checked without touching anything.
    ///
    /// The file is the one named; else `xmserver.toml` in the data folder; else the one in `/etc/xmserver`; else none. The environment
    /// overrides the file, and the command line overrides both: with `--config` the data folder is the one that this file means, whatever
    /// the environment says. A file that lies in a data folder and names no other folder means its own.
    ///
    /// # Errors
    /// Every mistake that was found, each in one sentence.
    pub fn load(sources: &Sources) -> Result<Configuration, ConfigurationError> {
        let environment = environment();
        let file = match &sources.file {
            Some(file) if !file.is_file() => {
                let problem = format!("{}: there is no such configuration file", file.display());
                return Err(ConfigurationError { problems: vec![problem] });
            }
            Some(file) => Some(file.clone()),
            None => find_file(sources.data_folder.as_deref(), &environment),
        };
        let mut figment = Figment::new();
        if let Some(file) = &file {
            figment = figment.merge(Toml::file_exact(file));
        }
        let of_file = figment.extract_inner::<PathBuf>(DATA_FOLDER_KEY).ok().or_else(|| own_folder(file.as_deref()?));
        figment = figment.merge(environment);
        let is_named = figment.find_value(DATA_FOLDER_KEY).is_ok();
        let folder = match &sources.data_folder {
            Some(folder) => Some(std::path::absolute(folder).unwrap_or_else(|_| folder.clone())),
            None => of_file.filter(|_| sources.file.is_some() || !is_named),
        };
        if let Some(folder) = folder {
            figment = figment.merge(Serialized::default(DATA_FOLDER_KEY, folder).profile("default"));
        }
        let mut configuration: Configuration = figment.extract().map_err(|error| ConfigurationError {
            problems: error.into_iter().map(|error| sentence::of(&error, file.as_deref())).collect(),
        })?;
        configuration.file = file;
        configuration.no_keys = no_keys();
        let problems = validate::problems(&configuration, &figment);
        if problems.is_empty() { Ok(configuration) } else { Err(ConfigurationError { problems }) }
    }
}

/// Only names with two underscores are keys: `XMSERVER_SERVER__LOG_LEVEL`.
fn environment() -> Env {
    Env::prefixed(ENVIRONMENT_PREFIX).filter(|name| name.as_str().contains(LEVEL)).split(LEVEL)
}

fn no_keys() -> Vec<String> {
    let others = Env::prefixed(ENVIRONMENT_PREFIX).lowercase(false).filter(|name| !name.as_str().contains(LEVEL));
    others.iter().map(|(name, _)| format!("{ENVIRONMENT_PREFIX}{name}")).collect()
}

/// Returns the folder of a file that stands in a data folder.
fn own_folder(file: &Path) -> Option<PathBuf> {
    let folder = std::path::absolute(file).ok()?.parent()?.to_path_buf();
    folder.join("keys").is_dir().then_some(folder)
}

fn find_file(data_folder: Option<&Path>, environment: &Env) -> Option<PathBuf> {
    let configured = environment
        .iter()
        .find(|(key, _)| key.as_str().eq_ignore_ascii_case(DATA_FOLDER_KEY))
        .map(|(_, value)| PathBuf::from(value));
    let data_folder = data_folder.map(Path::to_path_buf).or(configured).unwrap_or_else(|| DATA_FOLDER.into());
    [data_folder, SYSTEM_FOLDER.into()].into_iter().map(|folder| folder.join(FILE_NAME)).find(|file| file.is_file())
}
