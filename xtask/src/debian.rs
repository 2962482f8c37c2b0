//! Packages of Debian suites that this machine is not configured for.
//!
//! They come from the mirror that the machine has, into the cache; the
//! machine's own apt configuration, lists and packages stay untouched.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail, ensure};

use crate::profile::version;
use crate::workspace;

/// Where the kernels are: the newest in backports, the older one in stable.
const SUITES: &str = "trixie-backports trixie";

/// A new kernel is noticed after this time at the latest.
const LISTS_HOLD: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The suites' package lists, and a place for packages.
pub(crate) struct Archive {
    directory: PathBuf,
}

/// A package at a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
}

impl Archive {
    /// Opens the archive in `cache`, fetching the lists when they are missing
    /// or old. Old lists serve where no mirror can be reached.
    pub(crate) fn open(cache: &Path) -> Result<Self> {
        let archive = Self {
            directory: cache.join("apt"),
        };
        for directory in ["lists/partial", "cache/archives/partial", "packages"] {
            fs::create_dir_all(archive.directory.join(directory))?;
        }
        if !archive.is_fresh() {
            let _held = workspace::lock(&archive.directory.join("lock"))?;
            if !archive.is_fresh() {
                archive.update()?;
            }
        }
        Ok(archive)
    }

    fn is_fresh(&self) -> bool {
        let stamp = fs::metadata(self.directory.join("fetched"));
        stamp
            .and_then(|stamp| stamp.modified())
            .is_ok_and(|fetched| {
                let age = SystemTime::now().duration_since(fetched);
                age.is_ok_and(|age| age < LISTS_HOLD)
            })
    }

    fn update(&self) -> Result<()> {
        println!("fetching the package lists of Debian's {SUITES}");
        let stamp = self.directory.join("fetched");
        fs::write(
            self.directory.join("suites.sources"),
            sources_text(&mirror()?),
        )?;
        match self.run("apt-get", &["update", "-q", "--error-on=any"]) {
            Err(error) if stamp.exists() => {
                eprintln!("warning: {error:#}; going on with the lists at hand");
            }
            other => drop(other?),
        }
        fs::write(stamp, "")?;
        Ok(())
    }

    /// The package, newest by the version in its name, whose name is `prefix`,
    /// a version, `suffix`.
    pub(crate) fn newest(&self, prefix: &str, suffix: &str) -> Result<Package> {
        let found = self.search(&format!("^{prefix}[0-9][^-]*{suffix}$"))?;
        newest(found, prefix, suffix)
            .with_context(|| format!("Debian's {SUITES} have no {prefix}VERSION{suffix}"))
    }

    /// The newest version of the package `name`.
    pub(crate) fn package(&self, name: &str) -> Result<Package> {
        let found = self.search(&format!("^{}$", name.replace('+', "\\+")))?;
        let package = found.into_iter().find(|package| package.name == name);
        package.with_context(|| format!("Debian's {SUITES} have no {name}"))
    }

    fn search(&self, pattern: &str) -> Result<Vec<Package>> {
        let arguments = ["search", "--full", "--names-only", pattern];
        Ok(packages(&self.run("apt-cache", &arguments)?))
    }

    /// Unpacks `package` into `to`; what was downloaded is not kept.
    pub(crate) fn unpack(&self, package: &Package, to: &Path) -> Result<()> {
        let packages = self.directory.join("packages");
        fs::remove_dir_all(&packages)?;
        fs::create_dir_all(&packages)?;
        println!("fetching {} {}", package.name, package.version);
        let wanted = format!("{}={}", package.name, package.version);
        self.run("apt-get", &["download", "-q", &wanted])?;
        let Some(file) = fs::read_dir(&packages)?.next() else {
            bail!("apt-get left no package {wanted}");
        };
        let file = file?.path();
        fs::create_dir_all(to)?;
        let status = Command::new("dpkg").arg("-x").arg(&file).arg(to).status()?;
        ensure!(status.success(), "cannot unpack {}", file.display());
        fs::remove_file(file)?;
        Ok(())
    }

    /// Runs an apt program on these suites alone; gives its output.
    fn run(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let at = |name: &str| self.directory.join(name).display().to_string();
        let output = Command::new(program)
            .current_dir(self.directory.join("packages"))
            .args([
                "-o",
                &format!("Dir::Etc::SourceList={}", at("suites.sources")),
            ])
            .args(["-o", "Dir::Etc::SourceParts=/dev/null"])
            .args(["-o", &format!("Dir::State::Lists={}", at("lists"))])
            .args(["-o", &format!("Dir::Cache={}", at("cache"))])
            .args(["-o", "Dir::Cache::PkgCache=pkgcache.bin"])
            .args(["-o", "Acquire::Languages=none", "-o", "APT::Sandbox::User="])
            .args(["-o", "Acquire::Retries=3", "-o", "Debug::NoLocking=true"])
            .args(arguments)
            .output()
            .with_context(|| format!("cannot run {program}"))?;
        ensure!(
            output.status.success(),
            "{program} {} failed: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// The mirror this machine takes its own Debian release from.
fn mirror() -> Result<String> {
    let output = Command::new("apt-get")
        .args(["indextargets", "--format", "$(REPO_URI) $(RELEASE)"])
        .args(["Created-By: Packages", "Component: main"])
        .output()
        .context("cannot run apt-get")?;
    let release = fs::read_to_string("/etc/os-release").context("cannot read /etc/os-release")?;
    mirror_of(&String::from_utf8_lossy(&output.stdout), &release)
        .context("this machine's apt sources name no Debian mirror for its own release")
}

fn mirror_of(targets: &str, os_release: &str) -> Option<String> {
    let codename = os_release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))?
        .trim_matches('"');
    targets.lines().find_map(|line| {
        let (uri, release) = line.split_once(' ')?;
        (release == codename).then(|| uri.trim_end_matches('/').to_owned())
    })
}

fn sources_text(mirror: &str) -> String {
    format!(
        "Types: deb\nURIs: {mirror}\nSuites: {SUITES}\nComponents: main\n\
         Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    )
}

/// Reads package records; of one name the first is the one apt would take.
fn packages(records: &str) -> Vec<Package> {
    let field = |record: &str, name: &str| -> Option<String> {
        let value = record.lines().find_map(|line| line.strip_prefix(name))?;
        Some(value.to_owned())
    };
    records
        .split("\n\n")
        .filter_map(|record| {
            Some(Package {
                name: field(record, "Package: ")?,
                version: field(record, "Version: ")?,
            })
        })
        .collect()
}

fn newest(found: Vec<Package>, prefix: &str, suffix: &str) -> Option<Package> {
    let number = |package: &Package| {
        let number = package.name.strip_prefix(prefix)?.strip_suffix(suffix)?;
        Some(version(number))
    };
    found
        .into_iter()
        .filter(|package| number(package).is_some())
        .max_by_key(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_the_release_s_own() {
        let targets = "http://security.example/ bookworm-security\n\
                       http://mirror.example/debian/ bookworm\nhttps://other.example/ stable\n";
        let release = "ID=debian\nVERSION_CODENAME=bookworm\n";
        let found = mirror_of(targets, release);
        assert_eq!(found.as_deref(), Some("http://mirror.example/debian"));
        assert_eq!(mirror_of(targets, "VERSION_CODENAME=sid"), None);
    }

    #[test]
    fn newest_goes_by_number() {
        let records = "Package: linux-source-7.2\nVersion: 7.2.12-1\nDescription: a\n\n\
                       Package: linux-source-7.10\nVersion: 7.10.1-1\n\n\
                       Package: linux-source-7.3\nVersion: 7.3.4-1\n";
        let newest = newest(packages(records), "linux-source-", "").unwrap();
        assert_eq!(newest.name, "linux-source-7.10");
        assert_eq!(newest.version, "7.10.1-1");
    }
}
