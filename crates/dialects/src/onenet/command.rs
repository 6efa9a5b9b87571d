//! Commands as OneNET's devices get and answer them: `$creq/` and `$crsp/`, each with the command's UUID (spec 7.1,
//! 7.3).
//!
//! The UUID is of version 5, as the originals are, and holds the command's number, so that it is read back and stored
//! nowhere: `NNNNNNNN-NNNN-5200-8000-00000000NNNN`, in hexadecimal.

use domain::{CommandBody, CommandId, Device, QoS, Whose};

use crate::command::as_bytes;
use crate::level::escaped;
use crate::{Push, Rendered, Way};

/// What stands before a command's UUID in the topic that the device gets it by.
const REQUEST: &str = "$creq/";
/// The fixed bits between the halves of the number.
const MIDDLE: &str = "-5200-8000-00000000";

/// A command's UUID: 36 characters in lower case, of which firmware copies exactly so many.
pub fn uuid(command: CommandId) -> String {
    let digits = format!("{:016x}", command.0);
    let (high, low) = digits.split_at(12);
    let (first, second) = high.split_at(8);
    format!("{first}-{second}{MIDDLE}{low}")
}

/// The command with this UUID, in either case; `None` when it is none of ours.
pub fn command_of(text: &str) -> Option<CommandId> {
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    let number = [digits.get(..12)?, digits.get(28..)?].concat();
    let command = CommandId(u64::from_str_radix(&number, 16).ok()?);
    uuid(command).eq_ignore_ascii_case(text).then_some(command)
}

/// A command to a device: it gets it by being connected, at QoS 0 always, since firmware reckons with no packet id.
pub(super) fn rendered(
    device: &Device,
    whose: Whose<'_>,
    id: CommandId,
    body: &CommandBody,
) -> Option<Rendered> {
    if whose != Whose::Own {
        return None;
    }
    let topic = format!("{}/{REQUEST}{}", escaped(&device.device_type), uuid(id));
    Some(Rendered::Push(Push {
        ways: vec![Way { filter: REQUEST, topic }],
        unasked: Some(QoS::AtMostOnce),
        payload: as_bytes(body).into_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_holds_the_commands_number() {
        for (number, text) in [
            (0, "00000000-0000-5200-8000-000000000000"),
            (0x0123_4567_89ab_cdef, "01234567-89ab-5200-8000-00000000cdef"),
            (u64::MAX, "ffffffff-ffff-5200-8000-00000000ffff"),
        ] {
            assert_eq!((uuid(CommandId(number)).as_str(), text.len()), (text, 36));
            assert_eq!(command_of(text), Some(CommandId(number)));
            assert_eq!(command_of(&text.to_uppercase()), Some(CommandId(number)));
        }
        for wrong in [
            "",
            "x",
            "ä",
            "0123456789ab5200800000000000cdef",
            "01234567-89ab-5200-8000-00000000cdef0",
            "01234567-89ab-5200-8000-00000001cdef",
            "01234567-89ab-4200-8000-00000000cdef",
            "81572aae-fc34-5deb-8f06-ab45d73cb12b",
        ] {
            assert_eq!(command_of(wrong), None, "{wrong}");
        }
    }
}
