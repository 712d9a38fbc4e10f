//! One key of the configuration by its dotted name.

use serde_json::Value;

use crate::error::ConfigError;
use crate::tree::Config;
use crate::write::to_json;

/// The value at `key`, such as `serve.server.port` or `models.0.id`.
///
/// # Errors
/// There is no such key; the nearest name comes with it.
pub fn lookup(config: &Config, key: &str) -> Result<Value, ConfigError> {
    let tree = to_json(config);
    let found = key.split('.').try_fold(&tree, |value, name| match value {
        Value::Object(entries) => entries.get(name),
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => None,
    });
    found.cloned().ok_or_else(|| {
        let mut known = Vec::new();
        list("", &tree, &mut known);
        // The last part alone is a common way to ask: `port` for `serve.server.port`.
        let last_part = |path: &&String| path.rsplit('.').next() == Some(key);
        let nearest =
            ilab_base::yaml::nearest(key, known.iter().map(String::as_str)).map(str::to_owned);
        ConfigError::UnknownKey {
            key: key.to_owned(),
            nearest: nearest.or_else(|| known.iter().find(last_part).cloned()),
        }
    })
}

fn list(path: &str, value: &Value, known: &mut Vec<String>) {
    for (name, value) in value.as_object().into_iter().flatten() {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        list(&path, value, known);
        known.push(path);
    }
}
