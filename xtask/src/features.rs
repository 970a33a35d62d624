//! Which combinations of the library's features are checked: each alone, and those that have code of their own.

/// Combinations beside none, each alone and all.
const TOGETHER: &[&str] = &["blocking,tls", "async,tls", "blocking,async", "async,mock", "default", "default,mock"];

/// What other features stand on. Alone it is code that nobody calls.
const INNER: &str = "driver";

/// The combinations for a crate with this manifest, as arguments of cargo.
pub(crate) fn combinations(manifest: &str) -> Vec<Vec<String>> {
    let none = ["--no-default-features"];
    let some = |features: &str| vec![none[0].to_owned(), "--features".to_owned(), features.to_owned()];
    let mut combinations = vec![none.map(str::to_owned).to_vec()];
    combinations.extend(names(manifest).iter().map(|name| some(name)));
    combinations.extend(TOGETHER.iter().map(|features| some(features)));
    combinations.push(vec!["--all-features".to_owned()]);
    combinations
}

/// The features that a manifest declares for use, but for `default`.
fn names(manifest: &str) -> Vec<&str> {
    let lines = manifest.lines().skip_while(|line| line.trim() != "[features]").skip(1);
    lines
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name.trim())
        .filter(|name| !["default", INNER].contains(name) && !name.starts_with('#'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[package]\nname = \"x\"\n\n[features]\ndefault = [\"a\"]\n# = no feature\na = []\nb = [\"a\"]\ndriver = []\n\n[dependencies]\nc = \"1\"\n";

    #[test]
    fn a_new_feature_is_checked_alone_without_being_listed() {
        assert_eq!(names(MANIFEST), ["a", "b"]);
        let combinations = combinations(MANIFEST);
        assert_eq!(combinations[0], ["--no-default-features"]);
        assert_eq!(combinations[2], ["--no-default-features", "--features", "b"]);
        assert_eq!(combinations[combinations.len() - 1], ["--all-features"]);
    }
}
