//! Addresses as URLs.

/// The base URL of the API on `host` and `port`.
pub(crate) fn base_url(host: &str, port: u16) -> String {
    if host.contains(':') && !host.starts_with('[') {
        format!("http://[{host}]:{port}/v1")
    } else {
        format!("http://{host}:{port}/v1")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_addresses_stand_in_brackets() {
        assert_eq!(base_url("127.0.0.1", 8000), "http://127.0.0.1:8000/v1");
        assert_eq!(base_url("::1", 80), "http://[::1]:80/v1");
    }
}
