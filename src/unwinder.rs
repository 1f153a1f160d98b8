//! The unwinder of static binaries in which a panic ends the program: there is none. Linked into the command by `main.rs`.
//!
//! The standard library comes compiled for programs that unwind, and brings the unwinder of libunwind with it, and for backtraces all that reads debug
//! information. Where nothing unwinds and the tables for it are left out (`packaging/no-unwinding.ld`), they are dead weight: a tenth of a small binary. These
//! functions stand in their place (Itanium C++ ABI: Exception Handling, 1.2 and 1.3). A backtrace is empty, and nobody calls the others.

/// Defines functions of the unwinder that are never called.
macro_rules! never_called {
    ($($name:ident)*) => {
        $(
            // SAFETY: nothing else has this name: the linker takes the unwinder's only if nobody else defines it.
            #[unsafe(no_mangle)]
            extern "C" fn $name() -> ! {
                std::process::abort()
            }
        )*
    };
}

/// Walks the stack: it has no frames.
// SAFETY: as above.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Backtrace() -> i32 {
    const END_OF_STACK: i32 = 5;
    END_OF_STACK
}

never_called! {
    _Unwind_DeleteException _Unwind_GetCFA _Unwind_GetDataRelBase _Unwind_FindEnclosingFunction _Unwind_GetIP _Unwind_GetIPInfo
    _Unwind_GetLanguageSpecificData _Unwind_GetRegionStart _Unwind_GetTextRelBase _Unwind_RaiseException _Unwind_Resume _Unwind_SetGR _Unwind_SetIP
}
