//! NovaCron
fn main() {}
