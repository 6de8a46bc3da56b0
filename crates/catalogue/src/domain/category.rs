//! Places in the category tree. A place is its path: `gifts/candles` lies below `gifts`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::text::is_slug;

/// A path in the category tree: 1 to 5 handles joined by `/`, at most 200 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CategoryPath(String);

impl CategoryPath {
    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path and all above it, from the root down.
    pub fn with_ancestors(&self) -> impl Iterator<Item = Self> + '_ {
        let cuts = self.0.match_indices('/').map(|(at, _)| at).chain([self.0.len()]);
        cuts.filter_map(|end| self.0.get(..end)).map(|path| Self(path.to_owned()))
    }

    /// The path above, if it is not at the root.
    pub fn parent(&self) -> Option<&str> {
        self.0.rsplit_once('/').map(|(parent, _)| parent)
    }

    /// What the category is called until somebody gives it a name: `home-decoration` becomes
    /// `Home decoration`.
    pub fn default_name(&self) -> String {
        let last = self.0.rsplit('/').next().unwrap_or_default();
        let mut letters = last.chars().map(|c| if c == '-' { ' ' } else { c });
        letters.next().map(|c| c.to_ascii_uppercase()).into_iter().chain(letters).collect()
    }
}

impl FromStr for CategoryPath {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let depth = text.split('/').count();
        if text.len() <= 200 && depth <= 5 && text.split('/').all(is_slug) {
            Ok(Self(text.to_owned()))
        } else {
            Err("a category is 1 to 5 lower-case handles joined by /, at most 200 characters")
        }
    }
}

impl fmt::Display for CategoryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_category_knows_what_lies_above_it() {
        let path: CategoryPath = "groceries/deli/cheeses".parse().unwrap();
        let above: Vec<String> = path.with_ancestors().map(|p| p.to_string()).collect();
        assert_eq!(above, ["groceries", "groceries/deli", "groceries/deli/cheeses"]);
        assert_eq!(path.parent(), Some("groceries/deli"));
    }

    #[test]
    fn a_category_without_a_name_is_called_after_its_path() {
        let path: CategoryPath = "gifts/home-decoration".parse().unwrap();
        assert_eq!(path.default_name(), "Home decoration");
    }

    #[test]
    fn a_path_that_could_lead_elsewhere_is_refused() {
        for bad in ["", "/a", "a/", "a//b", "../a", "A", "a/b/c/d/e/f"] {
            assert!(bad.parse::<CategoryPath>().is_err(), "{bad:?}");
        }
    }
}
