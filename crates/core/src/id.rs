//! Names as ordered numbers: which route, path, replica, request, attempt.
//!
//! Not the names people read: those stand in the [`Revision`](crate::Revision), at the index that the number is.

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl $name {
            /// Returns the position in the table that this number indexes.
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

id!(
    /// A route, as its position in [`Revision::routes`](crate::Revision::routes).
    RouteId(u16)
);
id!(
    /// A path, as its position in [`Revision::paths`](crate::Revision::paths).
    PathId(u16)
);
id!(
    /// An upstream, as its position in [`Revision::upstreams`](crate::Revision::upstreams).
    UpstreamId(u16)
);
id!(
    /// A replica, as its position among the addresses of its upstream.
    ReplicaId(u16)
);
id!(
    /// A request, numbered by the shell; never reused while the process lives.
    RequestId(u64)
);
id!(
    /// A probe of a replica, numbered by the core in the order in which it asks for them.
    ProbeId(u64)
);
id!(
    /// An attempt, numbered by the core in the order of starts.
    AttemptId(u64)
);
