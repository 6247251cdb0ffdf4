using System;
using System.Collections.Generic;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Threading.Tasks;

namespace Tiltyard
{
    /// <summary>A guest's token.</summary>
    public sealed class Guest
    {
        public Guest(string token, string playerId)
        {
            Token = token;
            PlayerId = playerId;
        }

        public string Token { get; private set; }
        public string PlayerId { get; private set; }
    }

    /// <summary>A seat in a fight of the arena.</summary>
    public sealed class Seat
    {
        internal Seat(string sessionId, int slot, int seats, string url)
        {
            SessionId = sessionId;
            Slot = slot;
            Seats = seats;
            Url = url;
        }

        public string SessionId { get; private set; }
        public int Slot { get; private set; }
        public int Seats { get; private set; }

        /// <summary>Where to open a socket, once.</summary>
        public string Url { get; private set; }
    }

    /// <summary>
    /// The few requests that a player makes before it has a socket: a guest's token, a seat, a ticket.
    /// </summary>
    public sealed class Hub
    {
        /// <summary>Far more than any of these answers has.</summary>
        private const long AnswerMax = 1 << 20;
        private static readonly HttpClient Http = new HttpClient
        {
            Timeout = TimeSpan.FromSeconds(30), MaxResponseContentBufferSize = AnswerMax,
        };
        private readonly string server;

        /// <summary>The server at this address, for example <c>http://127.0.0.1:8080</c>.</summary>
        public Hub(string server)
        {
            this.server = server.TrimEnd('/');
        }

        /// <summary>A new guest, or the next token of the one whose token that is.</summary>
        public async Task<Guest> Guest(string token = null)
        {
            var answer = await Post("/guest", token, new Dictionary<string, object>()).ConfigureAwait(false);
            return new Guest(Text(answer, "token"), Text(answer, "player_id"));
        }

        /// <summary>
        /// A seat in the next fight of the arena of this kind: <c>duel</c>, <c>brawl</c>, <c>solo</c>, <c>coop</c> or
        /// <c>arena</c>.
        /// </summary>
        public async Task<Seat> Seat(string token, string kind, string ruleset = null, string difficulty = null)
        {
            var wish = new Dictionary<string, object> { { "kind", kind } };
            if (ruleset != null) wish["ruleset"] = ruleset;
            if (difficulty != null) wish["difficulty"] = difficulty;
            var answer = await Post("/arena/seats", token, wish).ConfigureAwait(false);
            return new Seat(Text(answer, "session_id"), Number(answer, "slot"), Number(answer, "seats"), Text(answer, "url"));
        }

        /// <summary>A ticket to a session that the token's player has a seat in.</summary>
        public async Task<Door> Ticket(string token, string session)
        {
            var answer = await Post("/sessions/" + session + "/tickets", token, null).ConfigureAwait(false);
            return new Door(Text(answer, "url"), Text(answer, "ticket"));
        }

        /// <summary>
        /// Plays the seat, coming back with tickets of this player; a guest's token is renewed by itself.
        /// </summary>
        public Fight Play(Guest guest, Seat seat, Codec codec = null)
        {
            var token = guest.Token;
            return Fight.Connect(seat.SessionId, new ConnectionOptions
            {
                Url = seat.Url,
                Codec = codec ?? Codec.Json,
                Ticket = () => Ticket(token, seat.SessionId),
                Token = async () => token = (await Guest(token).ConfigureAwait(false)).Token,
            });
        }

        private async Task<Dictionary<string, object>> Post(string path, string token, object body)
        {
            var request = new HttpRequestMessage(HttpMethod.Post, server + path);
            request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
            if (token != null)
            {
                request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
            }
            if (body != null)
            {
                var writer = new JsonWriter();
                writer.Begin();
                writer.Tree(body);
                request.Content = new ByteArrayContent(writer.Written.Array, 0, writer.Written.Count);
                request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            }
            HttpResponseMessage response;
            byte[] content;
            try
            {
                response = await Http.SendAsync(request).ConfigureAwait(false);
                content = await response.Content.ReadAsByteArrayAsync().ConfigureAwait(false);
            }
            catch (Exception error)
            {
                // What really happened, such as a certificate that nobody vouches for, is at the bottom.
                throw new HubException(0, "unreachable", error.GetBaseException().Message, null);
            }
            using (response)
            {
                var answer = Read(content);
                if (response.IsSuccessStatusCode)
                {
                    return answer;
                }
                object details;
                answer.TryGetValue("details", out details);
                var reason = Text(details as Dictionary<string, object> ?? answer, "reason");
                var wait = response.Headers.RetryAfter == null ? null : response.Headers.RetryAfter.Delta;
                var retryMs = wait.HasValue ? wait.Value.TotalMilliseconds : (double?)null;
                throw new HubException((int)response.StatusCode, reason, Text(answer, "message"), retryMs);
            }
        }

        private static Dictionary<string, object> Read(byte[] content)
        {
            try
            {
                var reader = new JsonReader();
                reader.Load(new ArraySegment<byte>(content));
                return reader.Tree() as Dictionary<string, object> ?? new Dictionary<string, object>();
            }
            catch (FormatException)
            {
                return new Dictionary<string, object>();
            }
        }

        private static string Text(Dictionary<string, object> answer, string field)
        {
            object value;
            return answer.TryGetValue(field, out value) ? value as string ?? "" : "";
        }

        private static int Number(Dictionary<string, object> answer, string field)
        {
            object value;
            return answer.TryGetValue(field, out value) && value is long ? (int)(long)value : 0;
        }
    }
}
