//! Close codes. The ranges tell a client what to do: 1000-1011 as RFC 6455 says, 1012 and 1013 connect again with a
//! random delay, 4400-4499 see [`CloseCode::reconnect`].

/// Every close code the server sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseCode {
    /// 1000: the client asked to close.
    Normal,
    /// 1002: not `WebSocket`.
    ProtocolError,
    /// 1003: a binary frame on a JSON connection or a text frame on a `MessagePack` one.
    WrongEncoding,
    /// 1007: text that is not UTF-8.
    BadText,
    /// 1009: a message over the limit.
    TooBig,
    /// 1011: the server failed.
    Internal,
    /// 1012: the server restarts.
    Restart,
    /// 1013: the shard takes no connection at the moment: its inbox is full, or its log cannot be written.
    TryLater,
    /// 4400: too many messages that could not be understood.
    BadMessages,
    /// 4401: the credentials are no longer valid.
    Unauthorized,
    /// 4404: the connection is in no session, and has been for too long.
    NoSession,
    /// 4408: nothing was heard from the client, no pong either.
    Idle,
    /// 4409: the same player joined from a newer connection.
    Replaced,
    /// 4410: the session has ended and its time to look at the result is over.
    SessionEnded,
    /// 4413: the client took nothing for too long.
    TooSlow,
    /// 4419: the token has expired, and no new one was handed in.
    TokenExpired,
    /// 4429: too many messages.
    RateLimited,
}

impl CloseCode {
    /// Every close code, for documentation and tests.
    pub const ALL: [Self; 17] = [
        Self::Normal,
        Self::ProtocolError,
        Self::WrongEncoding,
        Self::BadText,
        Self::TooBig,
        Self::Internal,
        Self::Restart,
        Self::TryLater,
        Self::BadMessages,
        Self::Unauthorized,
        Self::NoSession,
        Self::Idle,
        Self::Replaced,
        Self::SessionEnded,
        Self::TooSlow,
        Self::TokenExpired,
        Self::RateLimited,
    ];

    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Normal => 1000,
            Self::ProtocolError => 1002,
            Self::WrongEncoding => 1003,
            Self::BadText => 1007,
            Self::TooBig => 1009,
            Self::Internal => 1011,
            Self::Restart => 1012,
            Self::TryLater => 1013,
            Self::BadMessages => 4400,
            Self::Unauthorized => 4401,
            Self::NoSession => 4404,
            Self::Idle => 4408,
            Self::Replaced => 4409,
            Self::SessionEnded => 4410,
            Self::TooSlow => 4413,
            Self::TokenExpired => 4419,
            Self::RateLimited => 4429,
        }
    }

    /// The reason text sent with it.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Normal => "bye",
            Self::ProtocolError => "protocol error",
            Self::WrongEncoding => "frame type does not fit the negotiated encoding",
            Self::BadText => "text is not UTF-8",
            Self::TooBig => "message too big",
            Self::Internal => "internal error",
            Self::Restart => "server restarts, connect again",
            Self::TryLater => "overloaded, connect again later",
            Self::BadMessages => "too many bad messages",
            Self::Unauthorized => "credentials are not valid any more",
            Self::NoSession => "in no session for too long",
            Self::Idle => "nothing heard for too long",
            Self::Replaced => "replaced by a newer connection",
            Self::SessionEnded => "session ended",
            Self::TooSlow => "client too slow, connect again",
            Self::TokenExpired => "token expired, connect again with a new one",
            Self::RateLimited => "too many messages",
        }
    }

    /// Whether connecting again with the same credentials can help.
    #[must_use]
    pub const fn reconnect(code: u16) -> bool {
        matches!(code, 1001 | 1005 | 1006 | 1011 | 1012 | 1013 | 4408 | 4413 | 4429)
    }
}
