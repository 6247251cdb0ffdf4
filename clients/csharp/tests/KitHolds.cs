using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;
using Map = System.Collections.Generic.Dictionary<string, object>;

namespace Tiltyard.Tests
{
    /// <summary>What the client has told of a session.</summary>
    internal sealed class Ear
    {
        public readonly Membership Session;
        public List<KeyValuePair<string, object>> Heard = new List<KeyValuePair<string, object>>();

        public Ear(Membership session)
        {
            Session = session;
            session.OnLeft += told => Hear("left", told);
            session.OnError += told => Hear("error", told);
            session.OnRenewed += told => Hear("renewed", told);
            session.OnClosed += told => Hear("closed", told);
            if (session is Fight) Listen((Fight)session);
            if (session is Room) Listen((Room)session);
            if (session is Pulse) Listen((Pulse)session);
        }

        public Fight Fight { get { return (Fight)Session; } }

        /// <summary>A request's answer is a task: what it comes to, as the server says it.</summary>
        public void Answers(Task<Answer> answer)
        {
            answer.ContinueWith(done => Hear(done.Result), TaskContinuationOptions.ExecuteSynchronously);
        }

        private void Hear(Answer answer)
        {
            if (answer.Kind == AnswerKind.Ack) Hear("ack", answer.Done);
            else if (answer.Kind == AnswerKind.Refused) Hear("refused", (object)answer.Refusal ?? new Map { { "reason", answer.Reason } });
            else Hear("unanswered", new Map());
        }

        private void Listen(Fight fight)
        {
            fight.OnJoined += told => Hear("joined", told);
            fight.OnSnapshot += told => Hear("snapshot", told);
            fight.OnDelta += told => Hear("delta", told);
            fight.OnEvent += told => Hear("event", told);
            fight.OnAck += told => Hear("ack", told);
            fight.OnRefused += told => Hear("refused", told);
            fight.OnForgotten += told => Hear("forgotten", told);
            fight.OnMissed += told => Hear("missed", told);
            fight.OnRolledBack += told => Hear("rolled_back", told);
            fight.OnDrift += told => Hear("drift", told);
            fight.OnResult += told => Hear("result", told);
        }

        private void Listen(Room room)
        {
            room.OnJoined += told => Hear("joined", told);
            room.OnState += told => Hear("state", told);
            room.OnRelayed += told => Hear("relayed", told);
            room.OnPresence += told => Hear("presence", told);
            room.OnMissed += told => Hear("missed", told);
        }

        private void Listen(Pulse pulse)
        {
            pulse.OnJoined += told => Hear("joined", told);
            pulse.OnBeat += until => Hear("beat", new Map { { "expires_at", until } });
        }

        private void Hear(string kind, object told)
        {
            Heard.Add(new KeyValuePair<string, object>(kind, Trees.Of(told)));
        }
    }

    /// <summary>Compares what the client has of a session with what a case says.</summary>
    internal static class KitHolds
    {
        public static void Check(Map holds, Membership session)
        {
            foreach (var field in holds)
            {
                One(field.Key, field.Value, session);
            }
        }

        private static void One(string field, object wanted, Membership session)
        {
            switch (field)
            {
                case "status":
                    var status = session.Status.ToString().ToLowerInvariant();
                    var any = wanted as List<object> ?? new List<object> { wanted };
                    Tests.Check.That(any.Contains(status), "the status is " + status);
                    break;
                case "code": Equal(field, wanted, session.Closing == null ? (long?)null : session.Closing.Code); break;
                case "latency_ms": Between(field, wanted, session.Connection.Clock.Latency); break;
                case "offset_ms": Between(field, wanted, session.Connection.Clock.Offset); break;
                default:
                    if (session is Room) One(field, wanted, (Room)session);
                    else One(field, wanted, (Fight)session);
                    break;
            }
        }

        private static void One(string field, object wanted, Room room)
        {
            switch (field)
            {
                case "state": Tests.Check.That(Trees.Same(room.State, wanted), "the state is " + Trees.Write(room.State)); break;
                case "version": Equal(field, wanted, room.Version); break;
                case "members": Anyhow(field, wanted, room.Members); break;
                case "here": Anyhow(field, wanted, room.Here); break;
                default: throw new Wrong("nothing is known of " + field);
            }
        }

        /// <summary>The same in any order.</summary>
        private static void Anyhow(string field, object wanted, string[] found)
        {
            var list = ((List<object>)wanted).Cast<string>();
            Tests.Check.Same(string.Join(" ", list.OrderBy(one => one)), string.Join(" ", found.OrderBy(one => one)), field);
        }

        private static void One(string field, object wanted, Fight fight)
        {
            switch (field)
            {
                case "places":
                    foreach (var place in ((List<object>)wanted).Cast<Map>()) Drawn(place, fight);
                    break;
                case "view":
                    var view = fight.View == null ? null : Trees.OfView(fight.View);
                    Tests.Check.That(Trees.Same(view, Trees.Bare((Map)wanted)), "the view is " + Trees.Write(view));
                    break;
                case "q": Equal(field, wanted, fight.Seq); break;
                case "at": Equal(field, wanted, fight.At); break;
                case "epoch": Equal(field, wanted, fight.Epoch); break;
                case "h": Equal(field, wanted, fight.ViewDigest); break;
                case "slot": Equal(field, wanted, fight.Slot); break;
                case "team": Equal(field, wanted, fight.Team); break;
                case "applied": Equal(field, wanted, fight.Applied); break;
                case "rules": Tests.Check.Same((string)wanted, fight.Rules.Hash, field); break;
                case "pending":
                    var pending = fight.Pending.Select(action => (object)action.Id).ToList();
                    Tests.Check.That(Trees.Same(pending, wanted), "pending are " + Trees.Write(pending));
                    break;
                case "now": Between(field, wanted, fight.Now()); break;
                default: throw new Wrong("nothing is known of " + field);
            }
        }

        private static void Equal(string field, object wanted, long? found)
        {
            Tests.Check.Same((long?)(long)wanted, found, field);
        }

        private static void Between(string field, object wanted, double? found)
        {
            var range = ((List<object>)wanted).Select(Convert.ToDouble).ToArray();
            Tests.Check.That(found >= range[0] && found <= range[1], field + " is " + found + ", not " + range[0] + " to " + range[1]);
        }

        private static void Drawn(Map wanted, Fight fight)
        {
            var slot = wanted.Int("slot");
            var found = wanted.ContainsKey("at") ? fight.Place(slot, wanted.Int("at")) : fight.Place(slot);
            var place = wanted["place"] as Map;
            Tests.Check.Same(place != null, found.HasValue, "whether slot " + slot + " is drawn");
            if (place != null)
            {
                // To the centimetre.
                var right = Math.Abs(found.Value.X - place.Int("x")) <= 0.5 && Math.Abs(found.Value.Y - place.Int("y")) <= 0.5
                    && (!place.ContainsKey("f") || Math.Abs(found.Value.F - place.Int("f")) <= 0.5);
                Tests.Check.That(right, "slot " + slot + " is drawn at " + found.Value.X + ", " + found.Value.Y + ", facing " + found.Value.F);
            }
        }
    }
}
