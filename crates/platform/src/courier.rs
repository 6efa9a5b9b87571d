//! Who carries notices to devices: named by whoever has the connections.

use std::sync::Arc;

use domain::{ChildChange, Device, DeviceId, Millis, Notice, OrgId, Points, Scope};

use crate::commands::Receipt;
use crate::registry::Platform;

/// What became of a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Somebody has it, or will have it when their connection is back.
    Taken,
    /// Nobody is there to take it.
    Absent,
}

/// Carries notices to devices. Called without any lock of the platform held, on the thread of whoever caused them.
pub trait Courier: Send + Sync {
    /// Tells a device something, through the connection that is its door or in any other way there is. A command comes
    /// with a receipt, which is to be kept until the device has the command.
    fn tell(&self, device: &Arc<Device>, notice: &Notice<'_>, receipt: Option<Receipt>) -> Told;

    /// Attributes of a device were written, of whatever scope, all of these together. Whoever shows them to people may
    /// want to know; nobody has to.
    fn written(&self, _device: DeviceId, _scope: Scope, _at_ms: Millis, _points: &Points) {}

    /// Attributes of a device were removed, of whatever scope. As above, nobody has to know.
    fn attributes_removed(&self, _device: DeviceId, _scope: Scope, _keys: &[String]) {}

    /// A gateway is now the door of a device that was connected itself: that connection has to end.
    fn displaced(&self, org: OrgId, device: DeviceId);

    /// Something has become of a device that is, or was the last time, behind this gateway.
    fn child_changed(&self, org: OrgId, gateway: DeviceId, change: &ChildChange<'_>);
}

impl Platform {
    /// Names who carries notices. Until then nobody is there to take them.
    pub fn set_courier(&self, courier: Arc<dyn Courier>) {
        *self.courier.write() = Some(courier);
    }

    /// Has the courier do something; `None` where there is none.
    pub(crate) fn told<T>(&self, ask: impl FnOnce(&dyn Courier) -> T) -> Option<T> {
        let courier = self.courier.read().clone();
        courier.map(|it| ask(&*it))
    }

    /// Tells a device something.
    pub(crate) fn notify(&self, device: &Arc<Device>, notice: &Notice<'_>) -> Told {
        self.told(|it| it.tell(device, notice, None)).unwrap_or(Told::Absent)
    }
}
