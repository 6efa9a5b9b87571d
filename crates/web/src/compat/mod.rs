//! The HTTP interfaces of the platforms that devices and applications were built for.
