//! Whose client is this? Each dialect is asked in turn; where one is not sure, the platform's logins decide.

use dialects::{Claimed, Dialect, Hello, Recognition};
use domain::{Code, Identity, Refusal};
use platform::Platform;

/// A client that no dialect claims: none knows it, or the one that does refuses it.
pub(super) struct Unrecognised {
    pub(super) dialect: Option<&'static dyn Dialect>,
    pub(super) refusal: Refusal,
}

/// Asks the dialects whose client this is.
pub(super) fn recognise<'a>(
    dialects: impl Iterator<Item = &'static dyn Dialect>,
    platform: &Platform,
    hello: &Hello<'_, 'a>,
) -> Result<(&'static dyn Dialect, Claimed<'a>), Unrecognised> {
    let mut perhaps: Option<(&'static dyn Dialect, Claimed<'a>)> = None;
    for dialect in dialects {
        match dialect.recognise(hello) {
            Recognition::Unknown => {}
            Recognition::Claimed(claimed) => return Ok((dialect, claimed)),
            Recognition::Perhaps(claimed) if platform.knows(&claimed.claim) => {
                return Ok((dialect, claimed));
            }
            Recognition::Perhaps(claimed) => perhaps = perhaps.or(Some((dialect, claimed))),
            Recognition::Refused(refusal) => {
                // Who shows a certificate is to hear that nobody knows it, not that user name and password are missing.
                return match perhaps.filter(|(_, it)| comes_by_certificate(it)) {
                    Some(perhaps) => Ok(perhaps),
                    None => Err(Unrecognised { dialect: Some(dialect), refusal }),
                };
            }
        }
    }
    if let Some(perhaps) = perhaps {
        return Ok(perhaps);
    }
    let hint = "the client id is of no known form: a Watson gateway uses g:org:type:id";
    let refusal = Refusal::new(Code::ClientIdUnrecognised, hint);
    Err(Unrecognised { dialect: None, refusal })
}

fn comes_by_certificate(claimed: &Claimed<'_>) -> bool {
    matches!(claimed.claim.identity, Identity::Certificate { .. })
}
