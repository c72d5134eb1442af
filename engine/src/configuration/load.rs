//! Reads the configuration: chooses the file, lets environment variables override it, and lists the mistakes in both.

use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};

use super::sentence::{self, ENVIRONMENT_PREFIX};
use super::{Configuration, DATA_FOLDER, FILE_NAME, SYSTEM_FOLDER, validate};

/// Separator between a table and its key in the name of a variable.
const LEVEL: &str = "__";
const DATA_FOLDER_KEY: &str = "server.data_folder";

/// Error: the configuration has mistakes, each told in one sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .problems.join("\n"))]
pub struct ConfigurationError {
    /// One sentence for each mistake.
    pub problems: Vec<String>,
}

/// Options of the command line that decide where the configuration is.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Value of `--config`.
    pub file: Option<PathBuf>,
    /// Value of `--data-folder`.
    pub data_folder: Option<PathBuf>,
}

impl Configuration {
    /// Reads the file and the environment, and checks all that can be checked without looking at disk, network or database.
    ///
    /// The file is that of `--config`; else `xmserver.toml` in the data folder; else the file in `/etc/xmserver`; else none. The
    /// environment overrides the file, and the command line overrides both. With `--config` the file decides the data folder even where
    /// the environment sets another. If the file sets no data folder but lies in one, the data folder is the file's own folder.
    ///
    /// # Errors
    /// All mistakes, each in one sentence.
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

/// Reads the variables that set a key: only names with two underscores do, such as `XMSERVER_SERVER__LOG_LEVEL`.
fn environment() -> Env {
    Env::prefixed(ENVIRONMENT_PREFIX).filter(|name| name.as_str().contains(LEVEL)).split(LEVEL)
}

fn no_keys() -> Vec<String> {
    let others = Env::prefixed(ENVIRONMENT_PREFIX).lowercase(false).filter(|name| !name.as_str().contains(LEVEL));
    others.iter().map(|(name, _)| format!("{ENVIRONMENT_PREFIX}{name}")).collect()
}

/// Returns the folder of a file, if it is a data folder: such a folder has the subfolder `keys`.
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
