//! Patterns on whole texts: regex and glob. It may not take time that grows faster than the text.

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::literal::Extractor;

/// Memory of one compiled pattern: what a path of any API needs is a tenth of it, and ten thousand such routes still fit.
const COMPILED_BYTES: usize = 256 << 10;
/// Brackets within brackets: the parser goes down by recursion.
const NESTING: u32 = 32;

/// A pattern that takes a text from its first byte to its last.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: Box<str>,
    /// What every text it takes begins with.
    begin: Box<str>,
    regex: Regex,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.regex.as_str() == other.regex.as_str()
    }
}

impl Eq for Pattern {}

impl Pattern {
    /// A regex, anchored at both ends. The error is a sentence.
    pub fn regex(text: &str) -> Result<Self, String> {
        Self::build(text, text)
    }

    /// A glob: `*` any bytes but `/`, `**` any bytes, `?` one byte but `/`.
    pub fn glob(text: &str) -> Result<Self, String> {
        let mut regex = String::from("(?s)");
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '*' if letters.next_if_eq(&'*').is_some() => regex.push_str(".*"),
                '*' => regex.push_str("[^/]*"),
                '?' => regex.push_str("[^/]"),
                _ => regex.push_str(&regex_syntax::escape(letter.encode_utf8(&mut [0; 4]))),
            }
        }
        Self::build(text, &regex)
    }

    fn build(text: &str, regex: &str) -> Result<Self, String> {
        // Alone first: brackets that don't match would take the anchors in.
        let parsed = ParserBuilder::new()
            .nest_limit(NESTING)
            .unicode(false)
            .utf8(false)
            .build()
            .parse(regex)
            .map_err(|error| one_line(&error.to_string()))?;
        let anchored = format!(r"\A(?:{regex})\z");
        let compiled = RegexBuilder::new(&anchored)
            .unicode(false)
            .size_limit(COMPILED_BYTES)
            .dfa_size_limit(COMPILED_BYTES)
            .build()
            .map_err(|error| one_line(&error.to_string()))?;
        let begins = Extractor::new().extract(&parsed);
        let begin = begins.longest_common_prefix().unwrap_or_default();
        Ok(Self {
            text: text.into(),
            begin: std::str::from_utf8(begin).unwrap_or_default().into(),
            regex: compiled,
        })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What every text it takes begins with.
    pub fn begin(&self) -> &str {
        &self.begin
    }

    /// Whether it takes all of `text`.
    #[inline]
    pub fn takes(&self, text: &[u8]) -> bool {
        self.regex.is_match(text)
    }

    /// The compiled form, anchored.
    pub(crate) const fn compiled(&self) -> &Regex {
        &self.regex
    }
}

/// The last line of the library's words: what stands above it draws the pattern.
fn one_line(words: &str) -> String {
    let last = words.lines().last().unwrap_or_default().trim();
    let last = last.strip_prefix("error: ").unwrap_or(last);
    format!("is no pattern: {last}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_takes_the_whole_text_or_nothing() {
        let pattern = Pattern::regex("/a|/b").unwrap();
        for (text, wanted) in [
            ("/a", true),
            ("/b", true),
            ("/ab", false),
            ("/a\n", false),
            ("x/b", false),
        ] {
            assert_eq!(pattern.takes(text.as_bytes()), wanted, "{text:?}");
        }
        assert!(
            Pattern::regex("/a)|(?:/b").is_err(),
            "brackets that close the anchors"
        );
        assert!(Pattern::regex("(?m)^/a$").unwrap().takes(b"/a"));
        assert!(!Pattern::regex("(?m)^/a$").unwrap().takes(b"/a\n/b"));
    }

    #[test]
    fn a_glob_has_three_signs() {
        let takes = |glob: &str, text: &str| Pattern::glob(glob).unwrap().takes(text.as_bytes());
        assert!(
            takes("/a/*/c", "/a/b/c") && takes("/a/*/c", "/a//c") && !takes("/a/*/c", "/a/b/b/c")
        );
        assert!(takes("/a/**", "/a/b/c") && takes("/a/**", "/a/") && !takes("/a/**", "/a"));
        assert!(takes("/?.css", "/a.css") && !takes("/?.css", "/.css") && !takes("/a?b", "/a/b"));
        assert!(takes("/a.b", "/a.b") && !takes("/a.b", "/axb") && takes("/(a|b)", "/(a|b)"));
    }

    #[test]
    fn what_all_it_takes_begins_with_is_known() {
        for (regex, begin) in [
            ("/users/[0-9]+", "/users/"),
            ("/users/1?", "/users/"),
            ("/a/b|/a/c", "/a/"),
            ("(?i)/a", "/"),
            (".*", ""),
            ("/plain", "/plain"),
        ] {
            assert_eq!(Pattern::regex(regex).unwrap().begin(), begin, "{regex}");
        }
        assert_eq!(Pattern::glob("/users/*/orders").unwrap().begin(), "/users/");
    }

    #[test]
    fn a_pattern_that_is_too_much_is_refused() {
        for bad in [
            "(",
            "a{1000}{1000}",
            &"(".repeat(100),
            r"\p{Greek}",
            "(?=a)",
            r"(a)\1",
        ] {
            let sentence = Pattern::regex(bad).unwrap_err();
            assert!(
                sentence.starts_with("is no pattern: ") && !sentence.contains('\n'),
                "{sentence}"
            );
        }
    }
}
