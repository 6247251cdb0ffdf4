using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace Tiltyard.Tests
{
    /// <summary>The client against the real server, over real sockets.</summary>
    [NeedsServer]
    internal static class ServerTests
    {
        /// <summary>A game's loop around some sessions, until <paramref name="done"/>.</summary>
        public static void Until(string what, Func<bool> done, params Membership[] fights)
        {
            var watch = Stopwatch.StartNew();
            while (!done())
            {
                foreach (var fight in fights) fight.Update();
                Check.That(watch.ElapsedMilliseconds < Server.WaitMs, "waited for: " + what + "; " + string.Join(", ", fights.Select(fight => fight.Status)));
                Thread.Sleep(2);
            }
        }

        private static T Result<T>(Task<T> task)
        {
            return task.GetAwaiter().GetResult();
        }

        private static Fight Play(Hub hub, Guest guest, Seat seat, Codec codec)
        {
            var fight = hub.Play(guest, seat, codec);
            fight.OnDrift += drift => { throw new Wrong("drifted: " + drift.Message); };
            return fight;
        }

        /// <summary>Two players in one duel that has begun, one of each encoding.</summary>
        private static Fight[] Duel(Hub hub)
        {
            var guests = new[] { Result(hub.Guest()), Result(hub.Guest()) };
            var seats = guests.Select(guest => Result(hub.Seat(guest.Token, "duel"))).ToArray();
            Check.Same(seats[0].SessionId, seats[1].SessionId, "both have a seat in the same");
            var fights = new[] { Play(hub, guests[0], seats[0], Codec.Json), Play(hub, guests[1], seats[1], Codec.MsgPack) };
            foreach (var fight in fights) fight.Ready();
            Until("the fight to begin", () => fights.All(fight => fight.View != null && fight.View.Phase.Name == "active"), fights);
            return fights;
        }

        private static Answer Answered(PlayerAction action, params Fight[] fights)
        {
            Until("an answer", () => action.Answer.IsCompleted, fights);
            return action.Answer.Result;
        }

        [Test]
        private static void TheReadmesFightIsFoughtToItsEnd()
        {
            var program = File.ReadAllText(Path.Combine("examples", "Fight.cs"));
            Check.That(File.ReadAllText("README.md").Contains(program), "the README shows the program that runs here");
            Check.That(program.TrimEnd().Split('\n').Length < 40, "it is short");
            using (var server = new Server())
            {
                var players = new[] { Start(server.Url), Start(server.Url) };
                var said = players.Select(player => player.StandardOutput.ReadToEndAsync()).ToArray();
                foreach (var player in players)
                {
                    if (!player.WaitForExit(Server.WaitMs)) player.Kill();
                }
                var words = string.Join("\n", said.Select(Result));
                Check.That(players.All(player => player.ExitCode == 0) && words.Contains("hits"), words);
                var outcomes = said.SelectMany(one => one.Result.Split('\n')).Where(line => line == "won" || line == "lost").OrderBy(word => word);
                Check.Same("lost won", string.Join(" ", outcomes), words);
            }
        }

        private static Process Start(string url)
        {
            var fight = Path.Combine(AppDomain.CurrentDomain.BaseDirectory, "fight.exe");
            return Process.Start(new ProcessStartInfo("mono", fight + " " + url) { UseShellExecute = false, RedirectStandardOutput = true });
        }

        [Test]
        private static void WhatItIsToldHolds()
        {
            using (var server = new Server())
            {
                var fights = Duel(new Hub(server.Url));
                var ann = fights[0];
                var bob = fights[1];
                Check.Same(1, ann.Slot + bob.Slot, "the slots");
                Check.Same(ann.Rules.Hash, bob.Rules.Hash, "the rules");
                Check.That(ann.Rules.SpeedCmPerS > 0 && ann.Rules.Abilities.Length > 0 && ann.Rules.Field.WidthCm > 0, "the rules are there");
                Check.That(ann.Timers.SeatMs > 0 && ann.Timers.IdleMs > 0, "the timers are there");
                var guard = bob.Defend();
                var answer = Answered(guard, fights);
                Check.Same(AnswerKind.Ack, answer.Kind, "the answer");
                Until("it is shown", () => bob.Applied == guard.Id && ann.Seq >= answer.Q, fights);
                Check.Same(0L, ann.Applied, "what another has done is not one's own");
                Until("pongs", () => ann.Connection.Clock.Latency != null, fights);
                var clock = ann.Connection.World.Now() + ann.Connection.Clock.Offset.Value;
                var unix = (DateTime.UtcNow - new DateTime(1970, 1, 1)).TotalMilliseconds;
                Check.That(Math.Abs(clock - unix) < 5000, "the server's clock is the machine's: " + (clock - unix));
                Check.That(ann.Now() >= ann.At, "session time goes on");
                var me = ann.Place(ann.Slot).Value;
                var far = Answered(ann.Move(me.X + 100000, me.Y), fights);
                Check.Same("too_fast", far.Reason, "the answer");
                Check.That(far.Refusal.X.HasValue && far.Refusal.AllowedCm.HasValue, "where it is, and how far it may go");
                Check.Same(me, ann.Place(ann.Slot).Value, "what was refused did not happen");
                bob.Concede();
                Until("the result", () => ann.Ended.IsCompleted, fights);
                Check.Same(ann.Slot, ann.Ended.Result.Winner.Value, "the winner");
                Check.Same(2, ann.Outcome.Standings.Length, "the standings");
                foreach (var fight in fights) fight.Close();
            }
        }

        [Test]
        private static void AFightOutlivesItsServerAndEveryActionIsAnsweredOnce()
        {
            using (var server = new Server())
            {
                var fights = Duel(new Hub(server.Url));
                var ann = fights[0];
                var bob = fights[1];
                Answered(ann.Defend(), fights);
                var answers = new List<long>();
                ann.OnAck += ack => answers.Add(ack.Id);
                ann.OnRefused += refused => answers.Add(refused.Id);
                ann.OnForgotten += forgotten => answers.Add(forgotten.Id);
                var seq = ann.Seq.Value;
                var epoch = ann.Epoch.Value;
                var rules = ann.Rules.Hash;
                var pending = Enumerable.Range(0, 3).Select(_ => ann.Attack(bob.Slot)).ToArray();
                server.Kill();
                Until("the loss", () => fights.All(fight => fight.Status == Status.Waiting), fights);
                server.Restart();
                Until("the way back", () => fights.All(fight => fight.Status == Status.Live), fights);
                Until("all answers", () => pending.All(action => action.Answer.IsCompleted), fights);
                Check.That(pending.All(action => action.Answer.Result.Kind == AnswerKind.Ack || action.Answer.Result.Kind == AnswerKind.Refused),
                    string.Join(", ", pending.Select(action => action.Answer.Result)));
                Check.That(answers.OrderBy(id => id).SequenceEqual(pending.Select(action => action.Id)), "each once: " + string.Join(", ", answers));
                Check.That(ann.Seq >= seq && ann.Epoch > epoch, "the sequence goes on under another epoch");
                Check.Same(rules, ann.Rules.Hash, "the rules are still there, though they were not sent again");
                ann.Concede();
                Until("the result", () => bob.Ended.IsCompleted, fights);
                Check.Same(bob.Slot, bob.Ended.Result.Winner.Value, "the winner");
                foreach (var fight in fights) fight.Close();
            }
        }

        /// <summary>A real transport that can be cut, as a network is.</summary>
        private sealed class Cable : ITransport
        {
            private readonly ClientWebSocketTransport inner = new ClientWebSocketTransport();
            private bool cut;

            public TransportState State { get { return cut ? TransportState.Closed : inner.State; } }
            public string Subprotocol { get { return inner.Subprotocol; } }
            public int CloseCode { get { return cut ? CloseCodes.Lost : inner.CloseCode; } }

            public void Cut()
            {
                cut = true;
                inner.Close(1000);
            }

            public void Open(Uri url, string subprotocol)
            {
                inner.Open(url, subprotocol);
            }

            public void Send(ArraySegment<byte> payload, bool text)
            {
                if (!cut) inner.Send(payload, text);
            }

            public bool Receive(out Frame frame)
            {
                frame = new Frame();
                return !cut && inner.Receive(out frame);
            }

            public void Close(int code)
            {
                inner.Close(code);
            }
        }

        /// <summary>Cut again and again with actions on their way: the view goes on, and every action is answered once.</summary>
        [Test]
        private static void AConnectionThatIsCutGoesOnWhereItWas()
        {
            using (var server = new Server())
            {
                var hub = new Hub(server.Url);
                var guest = Result(hub.Guest());
                var seat = Result(hub.Seat(guest.Token, "solo"));
                Cable cable = null;
                var options = new ConnectionOptions { Ticket = () => hub.Ticket(guest.Token, seat.SessionId), Codec = Codec.MsgPack };
                options.World.NewTransport = () => cable = new Cable();
                var fight = Fight.Connect(seat.SessionId, options);
                var answers = new List<long>();
                var resumed = new List<string>();
                var snapshots = 0;
                fight.OnDrift += drift => { throw new Wrong("drifted: " + drift.Message); };
                fight.OnJoined += joined => resumed.Add(joined.Resume);
                fight.OnSnapshot += _ => snapshots += 1;
                fight.OnAck += ack => answers.Add(ack.Id);
                fight.OnRefused += refused => answers.Add(refused.Id);
                fight.Ready();
                Until("the fight to begin", () => fight.Status == Status.Live && fight.View.Phase.Name == "active", fight);
                var begun = fight.Seq;
                var pending = new List<PlayerAction>();
                for (var turn = 0; turn < 3; turn += 1)
                {
                    var me = fight.Place(fight.Slot).Value;
                    pending.Add(fight.Move(me.X, me.Y + 1));
                    pending.Add(fight.Defend());
                    fight.Update();
                    cable.Cut();
                    Until("the loss", () => fight.Status != Status.Live, fight);
                    fight.Connection.Hasten();
                    Until("the way back", () => fight.Status == Status.Live && fight.Pending.Length == 0, fight);
                }
                Check.That(answers.OrderBy(id => id).SequenceEqual(pending.Select(action => action.Id)), "each once: " + string.Join(", ", answers));
                Check.That(fight.Seq > begun && pending.Any(action => action.Answer.Result.Kind == AnswerKind.Ack), "some were applied");
                // What is no snapshot is gone on from; a server may send one in place of deltas.
                Check.Same(resumed.Count(resume => resume != "deltas"), snapshots, string.Join(", ", resumed));
                fight.Close();
            }
        }

        [Test]
        private static void OfTwoPlacesTheNewerOneHasThePlayer()
        {
            using (var server = new Server())
            {
                var hub = new Hub(server.Url);
                var guest = Result(hub.Guest());
                var seat = Result(hub.Seat(guest.Token, "duel"));
                var first = Play(hub, guest, seat, Codec.Json);
                Until("the first", () => first.Status == Status.Live, first);
                var second = Fight.Connect(seat.SessionId, new ConnectionOptions { Ticket = () => hub.Ticket(guest.Token, seat.SessionId) });
                Until("the second", () => second.Status == Status.Live && first.Closing != null, first, second);
                Check.Same(4409, first.Closing.Code, "the code");
                second.Close();
                Check.Same(Status.Closed, second.Status, "the status");
            }
        }

        [Test]
        private static void TwoSessionsOfOneConnectionAreKeptApart()
        {
            using (var server = new Server())
            {
                var hub = new Hub(server.Url);
                var guest = Result(hub.Guest());
                var seats = new[] { Result(hub.Seat(guest.Token, "duel")), Result(hub.Seat(guest.Token, "brawl")) };
                // A ticket admits to one session alone, a token to all of its player.
                var url = server.Url.Replace("http", "ws") + "/ws?session=" + seats[0].SessionId;
                var options = new ConnectionOptions { Ticket = () => Task.FromResult(new Door(url)) };
                options.World.NewTransport = () =>
                {
                    var transport = new ClientWebSocketTransport();
                    transport.Options.SetRequestHeader("Authorization", "Bearer " + guest.Token);
                    return transport;
                };
                var one = Fight.Connect(seats[0].SessionId, options);
                var other = Fight.Join(seats[1].SessionId, one.Connection);
                Until("both", () => one.Status == Status.Live && other.Status == Status.Live, one);
                Check.Same("2 4", one.View.Seats + " " + other.View.Seats, "the seats");
                other.Leave();
                Until("one to be left", () => other.Closing != null, one);
                Check.Same(1000, other.Closing.Code, "the code");
                Check.Same(Status.Live, one.Status, "the status of the other");
                one.Close();
            }
        }

        [Test]
        private static void WhatARequestIsRefusedForIsNamed()
        {
            using (var server = new Server())
            {
                var refused = Check.Throws<HubException>(
                    () => Result(new Hub(server.Url).Ticket("no token at all", "0192f5a8-6c1e-7d40-9b1f-0000abcd1234")), "a bad token");
                Check.Same("401 unauthorized", refused.Status + " " + refused.Reason, "the refusal");
            }
            var nobody = Check.Throws<HubException>(() => Result(new Hub("http://127.0.0.1:1").Guest()), "no server");
            Check.Same(0, nobody.Status, "the status");
        }
    }
}
