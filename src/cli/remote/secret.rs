//! Telling a token from an ordinary argument.

/// How the tokens of GitHub and Linear begin.
const PREFIXES: [&str; 9] =
    ["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "lin_api_", "lin_oauth_", "lin_wh_"];

/// Whether the text holds what looks like a token, a private key, or a password in a URL.
pub fn is_in(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    PREFIXES.iter().any(|prefix| lower.contains(prefix)) || lower.contains("private key-----") || has_password(text)
}

fn has_password(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else { return false };
    rest.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains('@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_told_from_names_and_addresses() {
        for secret in
            ["ghp_abc", "x github_pat_11A", "LIN_API_x", "gho_1", "https://me:secret@api.github.com/x", "lin_oauth_2"]
        {
            assert!(is_in(secret), "{secret}");
        }
        for plain in
            ["GITHUB_TOKEN", "pass show github", "https://api.github.com/a@b", "acme/app", "highp_x".get(..5).unwrap()]
        {
            assert!(!is_in(plain), "{plain}");
        }
    }
}
