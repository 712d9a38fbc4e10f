//! `~` and `$VARIABLE` in texts of the file, as a shell would read them.

use crate::load::Variables;

/// Replaces a leading `~` and every `$NAME` and `${NAME}` that is set; what is not set stays as it is.
pub fn expand(text: &str, variables: &Variables) -> String {
    let (mut expanded, mut rest) = match (text.strip_prefix('~'), variables.get("HOME")) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
            (home.clone(), rest)
        }
        _ => (String::new(), text),
    };
    while let Some(dollar) = rest.find('$') {
        expanded.push_str(&rest[..dollar]);
        rest = &rest[dollar..];
        let (written, name) = reference(rest);
        expanded.push_str(variables.get(name).map_or(written, String::as_str));
        rest = &rest[written.len()..];
    }
    expanded.push_str(rest);
    expanded
}

/// The `$NAME` or `${NAME}` that `text` starts with, and the name; `$` alone where it is neither.
fn reference(text: &str) -> (&str, &str) {
    let after = &text[1..];
    if let Some((name, _)) = after
        .strip_prefix('{')
        .and_then(|braced| braced.split_once('}'))
    {
        return (&text[..name.len() + 3], name);
    }
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let length = after.find(|letter| !is_part(letter)).unwrap_or(after.len());
    (&text[..=length], &after[..length])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_variables_are_replaced_and_everything_else_stays() {
        let variables = [("HOME", "/ada"), ("DATA", "/data")];
        let variables = variables
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        for (text, expected) in [
            ("~/models", "/ada/models"),
            ("~", "/ada"),
            ("~ada/models", "~ada/models"),
            ("a~", "a~"),
            ("$DATA/x", "/data/x"),
            ("${DATA}x$HOME", "/datax/ada"),
            (
                "costs $5, $UNSET and ${UNSET} and ${",
                "costs $5, $UNSET and ${UNSET} and ${",
            ),
            ("$", "$"),
            ("é$DATA", "é/data"),
            ("", ""),
        ] {
            assert_eq!(expand(text, &variables), expected, "{text}");
        }
    }
}
