//! What the checks look at: the text files that git knows, and the crates.

use std::path::Path;
use std::process::Command;

use ilab_base::io;
use serde::Deserialize;

use crate::tidy::TidyError;

/// Everything that is checked.
#[derive(Debug)]
pub(super) struct Repository {
    pub(super) files: Vec<SourceFile>,
    pub(super) crates: Vec<Crate>,
}

/// One text file.
#[derive(Debug)]
pub(super) struct SourceFile {
    /// Relative to the repository, with `/`.
    pub(super) path: String,
    pub(super) text: String,
}

impl SourceFile {
    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

/// One crate and the crates of this workspace that it imports when it is not being tested.
#[derive(Debug)]
pub(super) struct Crate {
    pub(super) name: String,
    /// The file with its crate documentation.
    pub(super) root_file: String,
    pub(super) manifest: String,
    pub(super) imports: Vec<String>,
}

impl Repository {
    pub(super) fn read(root: &Path) -> Result<Self, TidyError> {
        Ok(Self {
            files: read_files(root)?,
            crates: read_crates(root)?,
        })
    }
}

/// Tracked files, and new ones that are not ignored: what is wrong is told before it is committed.
fn read_files(root: &Path) -> Result<Vec<SourceFile>, TidyError> {
    // A checkout that belongs to another user, as in a container, is still ours to look at.
    let arguments = [
        "-c",
        "safe.directory=*",
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ];
    let listing = output("git", Command::new("git").args(arguments).current_dir(root))?;
    let mut files = Vec::new();
    for path in listing.split('\0').filter(|path| !path.is_empty()) {
        let bytes = match io::read(root.join(path)) {
            Ok(bytes) => bytes,
            // Deleted and not yet committed.
            Err(error) if error.is_not_found() => continue,
            Err(error) => return Err(error.into()),
        };
        if let Ok(text) = String::from_utf8(bytes) {
            files.push(SourceFile {
                path: path.to_owned(),
                text,
            });
        }
    }
    Ok(files)
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: String,
    dependencies: Vec<Dependency>,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    path: Option<String>,
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
    src_path: String,
}

fn read_crates(root: &Path) -> Result<Vec<Crate>, TidyError> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = [
        "metadata",
        "--no-deps",
        "--offline",
        "--format-version",
        "1",
    ];
    let json = output(
        "cargo metadata",
        Command::new(cargo).args(arguments).current_dir(root),
    )?;
    let metadata: Metadata = serde_json::from_str(&json)?;
    let crates = metadata.packages.into_iter().map(|package| {
        let is_root = |target: &&Target| {
            target
                .kind
                .iter()
                .any(|kind| kind == "lib" || kind == "bin")
        };
        let root_file = package.targets.iter().find(is_root);
        Crate {
            root_file: root_file
                .map(|target| relative(root, &target.src_path))
                .unwrap_or_default(),
            manifest: relative(root, &package.manifest_path),
            imports: imports(&package.dependencies),
            name: package.name,
        }
    });
    Ok(crates.collect())
}

fn imports(dependencies: &[Dependency]) -> Vec<String> {
    let of_workspace = |dependency: &&Dependency| {
        dependency.path.is_some() && dependency.kind.as_deref() != Some("dev")
    };
    let imported = dependencies.iter().filter(of_workspace);
    imported.map(|dependency| dependency.name.clone()).collect()
}

fn relative(root: &Path, path: &str) -> String {
    let path = Path::new(path);
    let relative = path.strip_prefix(root).unwrap_or(path);
    relative.to_string_lossy().replace('\\', "/")
}

fn output(program: &'static str, command: &mut Command) -> Result<String, TidyError> {
    let failed = |message: String| TidyError::Program { program, message };
    let output = command
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(
            String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        ));
    }
    String::from_utf8(output.stdout).map_err(|error| failed(error.to_string()))
}
