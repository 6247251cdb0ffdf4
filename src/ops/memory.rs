//! Giving memory back. The allocator keeps pages that a burst (ten thousand handshakes) left behind and looks at them only
//! when the thread allocates again: a node that went quiet would keep them for good.

/// Returns what the calling thread's heap does not use to the system. Takes about as long as the heap has pages; call it when
/// there is nothing else to do. Without effect where another allocator is in use.
#[allow(unsafe_code)] // A call of the allocator's C interface.
pub fn give_back() {
    // SAFETY: `mi_collect` may be called from any thread at any time and touches no memory that is in use.
    unsafe { libmimalloc_sys::mi_collect(true) }
}
