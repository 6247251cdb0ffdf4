using System;
using System.Threading.Tasks;

namespace Tiltyard
{
    /// <summary>Where to open a socket.</summary>
    public sealed class Door
    {
        public Door(string url) : this(url, null)
        {
        }

        public Door(string url, string ticket)
        {
            Url = url;
            Ticket = ticket;
        }

        public string Url { get; private set; }

        /// <summary>
        /// What renews a connection that needs no new socket; where it is <c>null</c>, the one in the URL.
        /// </summary>
        public string Ticket { get; private set; }

        internal string Renewal
        {
            get
            {
                if (Ticket != null)
                {
                    return Ticket;
                }
                var at = Url.IndexOf("ticket=", StringComparison.Ordinal);
                return at < 0 ? "" : Uri.UnescapeDataString(Url.Substring(at + 7).Split('&')[0]);
            }
        }
    }

    /// <summary>How a connection gets in, and what it is made of.</summary>
    public sealed class ConnectionOptions
    {
        public ConnectionOptions()
        {
            Codec = Codec.Json;
            GiveUpMs = 180000;
            World = new GameWorld();
        }

        /// <summary>
        /// Gets a ticket: one for every connection, as it admits once, and one for every renewal. It may throw a
        /// <see cref="HubException"/>, whose status and delay are heeded.
        /// </summary>
        public Func<Task<Door>> Ticket { get; set; }

        /// <summary>Where to open the first socket, where there is a ticket already.</summary>
        public string Url { get; set; }

        /// <summary>
        /// Gets the player's new token when the one that the connection lives by is about to end; in place of another
        /// ticket.
        /// </summary>
        public Func<Task<string>> Token { get; set; }

        /// <summary>JSON where nothing else is said.</summary>
        public Codec Codec { get; set; }

        /// <summary>For how long to try to come back.</summary>
        public double GiveUpMs { get; set; }

        public GameWorld World { get; set; }
    }
}
