//! How much of what we have written may wait in the kernel, where nothing can be taken back.

use std::io;
use std::os::fd::AsFd;

use socket2::SockRef;

use crate::limits;

/// Bounds what `socket` takes before it says that it is full. Without this the kernel lets a buffer grow to megabytes, and a client
/// that did not read for a while is then shown a minute of what was long over.
pub fn bound(socket: &impl AsFd) -> io::Result<()> {
    let socket = SockRef::from(socket);
    socket.set_tcp_notsent_lowat(limits::KERNEL_UNSENT_BYTES)?;
    socket.set_send_buffer_size(limits::KERNEL_BYTES)
}
