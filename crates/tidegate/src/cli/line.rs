//! How an event or command looks in a terminal.

use domain::Millis;

use super::moment;
use super::table::printable;

/// One event or command.
pub(crate) struct Line<'a> {
    /// When it passed.
    pub(crate) at_ms: Millis,
    /// Type and name.
    pub(crate) device: &'a str,
    /// A command on its way to the device, rather than an event from it.
    pub(crate) is_command: bool,
    /// The event's or command's name.
    pub(crate) name: &'a str,
    /// What it says.
    pub(crate) payload: &'a str,
}

impl std::fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = moment::show(self.at_ms);
        let time = at.split_once(' ').map_or(at.as_str(), |it| it.1);
        let name = if self.is_command { format!("← {}", self.name) } else { self.name.to_owned() };
        let (device, name) = (printable(self.device), printable(&name));
        write!(f, "{time}  {device:<16}  {name:<12}  {}", printable(self.payload))
    }
}
