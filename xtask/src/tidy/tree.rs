//! The files of the workspace.

use std::{fs, path::Path};

use super::scan;
use crate::error::{Error, Result};

/// What is looked at, by the ends of file names.
const TEXTS: &[&str] = &["rs", "toml", "md", "sql", "sh", "yml"];

/// Folders that are not part of the source.
const FOREIGN: &[&str] = &["target", ".git"];

pub(crate) struct File {
    /// From the root, with slashes.
    pub(crate) path: String,
    pub(crate) text: String,
    /// Of Rust: the text with comments and literals blanked, line by line.
    pub(crate) code: String,
    /// Of Rust: the same without tests.
    pub(crate) product: String,
}

pub(crate) struct Tree(Vec<File>);

impl Tree {
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let mut files = Vec::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).map_err(Error::io(folder.display()))? {
                let path = entry.map_err(Error::io(folder.display()))?.path();
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                if path.is_dir() && !path.is_symlink() {
                    if !FOREIGN.contains(&name) {
                        folders.push(path);
                    }
                } else if TEXTS.iter().any(|end| name.ends_with(&format!(".{end}"))) {
                    let text = fs::read_to_string(&path).map_err(Error::io(path.display()))?;
                    let inside = path.strip_prefix(root).unwrap_or(&path);
                    files.push(File::new(&inside.to_string_lossy().replace('\\', "/"), text));
                }
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self(files))
    }

    /// A tree of these files.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        Self(files.iter().map(|(path, text)| File::new(path, (*text).to_owned())).collect())
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = &File> {
        self.0.iter()
    }

    pub(crate) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files().filter(|file| file.path.ends_with(".rs"))
    }

    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files().find(|file| file.path == path)
    }
}

impl File {
    fn new(path: &str, text: String) -> Self {
        let (mut code, mut product) = (String::new(), String::new());
        if path.ends_with(".rs") {
            code = scan::code(&text);
            if !is_test(path) {
                product = scan::without_tests(&code);
            }
        }
        Self { path: path.to_owned(), text, code, product }
    }

    /// The path behind `crates/<name>/src/`, if it is there.
    pub(crate) fn in_crate(&self) -> Option<(&str, &str)> {
        let (name, inside) = self.path.strip_prefix("crates/")?.split_once('/')?;
        Some((name, inside.strip_prefix("src/")?))
    }
}

/// Whether a whole file is a test: those of packages, and those behind `#[cfg(test)] mod tests;`.
fn is_test(path: &str) -> bool {
    path.starts_with("tests/") || path.contains("/tests/") || path.ends_with("/tests.rs")
}
