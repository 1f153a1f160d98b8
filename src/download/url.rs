//! As much of URLs as downloading needs: `http` and `https`, joining a redirect's target, and whether two name the same server.
//!
//! Strict on purpose: what a server sends as a redirect's target is untrusted, so anything unusual is refused with a reason.

use std::fmt;

/// An absolute `http` or `https` URL without user name and fragment.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Url {
    https: bool,
    /// Lower case; an IPv6 address stands in brackets.
    host: Box<str>,
    port: u16,
    /// Path and query; begins with a slash.
    target: Box<str>,
}

impl Url {
    /// Reads an absolute URL.
    ///
    /// # Errors
    ///
    /// What is wrong with it, for a message.
    pub fn parse(text: &str) -> Result<Url, &'static str> {
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("a URL holds only printable ASCII characters");
        }
        let Some((scheme, rest)) = text.split_once("://") else { return Err("it has no scheme") };
        let https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err("its scheme is neither http nor https"),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (host, port) = authority_parts(authority, https)?;
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok(Url { https, host: host.into(), port, target: format!("{slash}{target}").into() })
    }

    /// What a `Location` header names, seen from here.
    ///
    /// # Errors
    ///
    /// What is wrong with it, for a message.
    pub fn join(&self, location: &str) -> Result<Url, &'static str> {
        let has_scheme = location.split(['/', '?', '#']).next().is_some_and(|start| start.contains(':'));
        if has_scheme {
            return Url::parse(location);
        }
        let (scheme, root) = (self.scheme(), self.root());
        if location.starts_with("//") {
            return Url::parse(&format!("{scheme}:{location}"));
        }
        if location.starts_with('/') {
            return Url::parse(&format!("{root}{location}"));
        }
        let path = self.path();
        let folder = if location.starts_with('?') { path } else { &path[..=path.rfind('/').unwrap_or(0)] };
        Url::parse(&format!("{root}{folder}{location}"))
    }

    /// The URL of something on the same server; each segment of the path is escaped.
    pub fn with_path<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Url {
        let mut target = self.path().trim_end_matches('/').to_owned();
        for segment in segments {
            target.push('/');
            target.push_str(&escape(segment));
        }
        Url { target: target.into(), ..self.clone() }
    }

    /// The same with a query, which must be escaped where needed.
    pub fn with_query(&self, query: &str) -> Url {
        Url { target: format!("{}?{query}", self.path()).into(), ..self.clone() }
    }

    /// Whether both name the same server: same scheme, same host and same port. Anything less could be somebody else's.
    pub fn same_origin(&self, other: &Url) -> bool {
        (self.https, &self.host, self.port) == (other.https, &other.host, other.port)
    }

    /// Whether the connection is encrypted.
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// Whether the server is this machine.
    pub fn is_loopback(&self) -> bool {
        &*self.host == "localhost" || &*self.host == "[::1]" || self.host.starts_with("127.")
    }

    /// The host, with the port unless it is the scheme's own.
    pub fn server(&self) -> String {
        let default = if self.https { 443 } else { 80 };
        if self.port == default { self.host.to_string() } else { format!("{}:{}", self.host, self.port) }
    }

    /// The path, without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// All of it, to be requested. Not for messages: a query may be a signature.
    pub fn whole(&self) -> String {
        format!("{}{}", self.root(), self.target)
    }

    fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }

    fn root(&self) -> String {
        format!("{}://{}", self.scheme(), self.server())
    }
}

/// Without the query.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.root(), self.path())
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Host and port of `host`, `host:port` or `[v6]:port`.
fn authority_parts(authority: &str, https: bool) -> Result<(String, u16), &'static str> {
    if authority.contains('@') {
        return Err("it holds a user name or password");
    }
    let host_end = authority.find(']').map_or(0, |end| end + 1);
    let (host, port) = match authority[host_end..].split_once(':') {
        Some((rest, port)) => (&authority[..host_end + rest.len()], Some(port)),
        None => (authority, None),
    };
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._[]:".contains(&b);
    if host.is_empty() || !host.bytes().all(allowed) {
        return Err("its host is no host's name");
    }
    let port = match port {
        None => Some(if https { 443 } else { 80 }),
        Some(digits) => digits.parse().ok().filter(|&port| port != 0),
    };
    Ok((host.to_ascii_lowercase(), port.ok_or("its port is not a number from 1 to 65535")?))
}

/// A segment of a path, with everything escaped but what RFC 3986 calls unreserved.
fn escape(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn parts_of_a_url() {
        let whole = |text| url(text).whole();
        assert_eq!(whole("HTTPS://Example.ORG"), "https://example.org/");
        assert_eq!(whole("http://a:80/b?c=d#e"), "http://a/b?c=d");
        assert_eq!(whole("http://127.0.0.1:8080?x"), "http://127.0.0.1:8080/?x");
        assert_eq!(whole("https://[::1]:8443/x"), "https://[::1]:8443/x");
        assert_eq!(url("http://a:81/b?secret=1").to_string(), "http://a:81/b");
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for text in [
            "",
            "a/b",
            "ftp://a/b",
            "http://",
            "http:///b",
            "http://a:0/",
            "http://a:99999/",
            "http://a:/",
            "http://me:pw@a/",
            "http://a b/",
            "http://a/b c",
            "http://a/\u{e9}",
            "http://a\r\n/",
            "file:///etc",
        ] {
            assert!(Url::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn redirects_are_relative_to_where_they_were_sent() {
        let from = url("https://a:8443/b/c?d");
        let join = |location| from.join(location).map(|url| url.whole());
        assert_eq!(join("/x?y").unwrap(), "https://a:8443/x?y");
        assert_eq!(join("x").unwrap(), "https://a:8443/b/x");
        assert_eq!(join("?x=1:2").unwrap(), "https://a:8443/b/c?x=1:2");
        assert_eq!(join("//e/x").unwrap(), "https://e/x");
        assert_eq!(join("http://e/x").unwrap(), "http://e/x");
        assert!(join("javascript:alert(1)").is_err() && join("/x y").is_err());
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let a = url("https://a/x");
        assert!(a.same_origin(&url("https://A:443/y")));
        for other in ["http://a/x", "https://b/x", "https://a:444/x", "https://a.b/x"] {
            assert!(!a.same_origin(&url(other)), "{other}");
        }
    }

    #[test]
    fn segments_are_escaped() {
        let made = url("http://a/base/").with_path(["x y", "ü%/..", "b.gguf"]).with_query("r=1");
        assert_eq!(made.whole(), "http://a/base/x%20y/%C3%BC%25%2F../b.gguf?r=1");
    }
}
