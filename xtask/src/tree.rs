//! The files of the project, as git sees them: what is tracked, and what is new and not ignored.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A text file.
#[derive(Debug, Clone)]
pub struct File {
    /// From the root, with forward slashes.
    pub path: String,
    /// What is in it.
    pub text: String,
}

/// The files of the project.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// Where it is on this machine. Empty for a tree that a test made up.
    pub root: PathBuf,
    /// Those that hold text, by path.
    pub files: Vec<File>,
    /// Where the others are: pictures.
    pub pictures: Vec<String>,
}

impl Tree {
    /// The workspace this program was built from.
    ///
    /// # Errors
    /// When git cannot list its files.
    pub fn of_workspace() -> Result<Self, String> {
        Self::read(&root())
    }

    fn read(root: &Path) -> Result<Self, String> {
        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .map_err(|error| format!("git: {error}"))?;
        if !listed.status.success() {
            return Err(format!("git ls-files: {}", String::from_utf8_lossy(&listed.stderr)));
        }
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        let mut paths: Vec<&str> = listed.split('\0').filter(|path| !path.is_empty()).collect();
        paths.sort_unstable();
        paths.dedup();
        let (mut files, mut pictures) = (Vec::new(), Vec::new());
        for path in paths {
            // What is listed and is no file has been deleted, or is a link.
            match std::fs::read_to_string(root.join(path)) {
                Ok(text) => files.push(File { path: path.to_owned(), text }),
                Err(_) if root.join(path).is_file() => pictures.push(path.to_owned()),
                Err(_) => {}
            }
        }
        Ok(Self { root: root.to_owned(), files, pictures })
    }

    /// The Rust sources.
    pub fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }

    /// The file at a path.
    pub fn get(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Whether there is a file of any kind at a path, or a folder with some in it.
    pub fn has(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        let texts = self.files.iter().map(|file| &file.path);
        texts.chain(&self.pictures).any(|one| one == path || one.starts_with(&folder))
    }

    /// A tree that was never on a disk.
    #[cfg(test)]
    pub fn made_of(files: &[(&str, &str)]) -> Self {
        let files =
            files.iter().map(|(path, text)| File { path: (*path).into(), text: (*text).into() });
        Self { files: files.collect(), ..Self::default() }
    }
}

/// The root of the workspace.
pub fn root() -> PathBuf {
    // Where cargo runs it, not where it was built: checkouts share what is built.
    let here = std::env::var("CARGO_MANIFEST_DIR");
    let here = Path::new(here.as_deref().unwrap_or(env!("CARGO_MANIFEST_DIR")));
    here.parent().unwrap_or(here).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_lists_its_own_sources() {
        let tree = Tree::of_workspace().unwrap();
        assert!(tree.get("xtask/src/tree.rs").unwrap().text.contains("as git sees them"));
        assert!(tree.rust().all(|file| file.path.ends_with(".rs")));
        assert!(tree.files.iter().all(|file| !file.path.starts_with("target/")));
    }
}
