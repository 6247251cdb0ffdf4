using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;
using Map = System.Collections.Generic.Dictionary<string, object>;

namespace Tiltyard.Tests
{
    /// <summary>A fight and its connection in a world that the test plays: what the kit leaves to a client.</summary>
    internal static class FightTests
    {
        private const string Session = "0192f5a8-6c1e-7d40-9b1f-0000abcd1234";

        private sealed class Stage
        {
            public readonly World World = new World(Codec.Json);
            public Fight Fight;
            public int Tickets;

            public Stage(Action<ConnectionOptions> change = null)
            {
                var options = new ConnectionOptions { World = World.Game, Ticket = () => Task.FromResult(new Door("ws://h/ws?ticket=" + (Tickets += 1))) };
                if (change != null) change(options);
                Fight = Fight.Connect(Session, options);
                World.Connections.Add(Fight.Connection);
                World.Turn();
            }

            public void Live()
            {
                World.Line.Accept();
                World.Line.Say("joined", Joined("snapshot"));
                World.Line.Say("snapshot", Snapshot(10));
                World.Turn();
                Check.Same(Status.Live, Fight.Status, "the status");
            }

            public Map Joined(string resume)
            {
                return new Map
                {
                    { "session", Session }, { "s", 7L }, { "slot", 0L }, { "team", 0L }, { "resume", resume }, { "last_id", 0L },
                    { "applied", 0L }, { "epoch", 1L }, { "at", 5000L }, { "time", 6000L },
                };
            }

            public Map Snapshot(long q)
            {
                var phase = new Map { { "status", "active" }, { "phase", "active" }, { "state", "active" } };
                var view = new View { Phase = KitTests.Made(phase, Phase.Read) };
                return new Map
                {
                    { "s", 7L }, { "q", q }, { "id", 0L }, { "at", 5000L }, { "time", 6000L }, { "epoch", 1L },
                    { "view", new Map { { "phase", phase }, { "seats", 0L } } }, { "h", (long)Digest.Of(view) },
                };
            }

            public Map Delta(long q)
            {
                return new Map { { "s", 7L }, { "q", q }, { "id", 0L }, { "at", 5000L + q }, { "time", 6000L + q } };
            }

            /// <summary>Loses the connection, and has the next one opened.</summary>
            public void Again()
            {
                World.Line.End(1006);
                var lines = World.Lines.Count;
                Check.That(World.Pass(5000, () => World.Lines.Count > lines), "it comes back");
                World.Line.Accept();
                World.Turn();
            }
        }

        [Test]
        private static void OnesSpeedIsWhatEffectsAndModifiersMakeOfIt()
        {
            var stage = new Stage();
            stage.World.Line.Accept();
            var slow = new Map { { "name", "slow" }, { "stuns", false }, { "ms", 3000L }, { "changes", new Map { { "speed", -20L } } } };
            var light = new Map { { "name", "light" }, { "stuns", false }, { "ms", 0L }, { "changes", new Map { { "speed", 15L }, { "armor", -5L } } } };
            var joined = stage.Joined("snapshot");
            joined["rules"] = new Map { { "hash", "h" }, { "speed_cm_per_s", 850L }, { "effects", new List<object> { slow, light } } };
            stage.World.Line.Say("joined", joined);
            Check.That(stage.Fight.Speed == null, "not known before there is a view");
            stage.World.Line.Say("snapshot", stage.Snapshot(10));
            var delta = stage.Delta(11);
            delta["p"] = new List<object>
            {
                new Map
                {
                    { "i", 0L }, { "player", "0192f5a8-6c1e-7d40-9b1f-0a1b2c3d4e5f" }, { "team", 0L }, { "status", "active" }, { "ready", true },
                    { "score", 0L }, { "effects", new List<object> { new List<object> { 0L, 2L, 9000L } } },
                },
            };
            delta["m"] = new List<object> { 1L };
            stage.World.Line.Say("delta", delta);
            stage.World.Turn();
            Check.Same<long?>(637, stage.Fight.Speed, "850 * (100 - 2 * 20 + 15) / 100");
        }

        [Test]
        private static void WithoutAConnectionAnActionIsRefusedAtOnce()
        {
            var stage = new Stage();
            Check.Same("offline", stage.Fight.Attack(1).Told().Reason, "the answer");
            Check.Same(0, stage.Fight.Pending.Length, "what is pending");
        }

        [Test]
        private static void ResumesByDeltasWithoutASnapshot()
        {
            var stage = new Stage();
            stage.Live();
            stage.Again();
            var join = stage.World.Line.Messages.First(said => said.Type == "join");
            Check.Same(10L, (long)join.Fields["seq"], "the sequence it names");
            stage.World.Line.Say("joined", stage.Joined("deltas"));
            stage.World.Turn();
            Check.Same(Status.Live, stage.Fight.Status, "it goes on from what it has");
            stage.World.Line.Say("delta", stage.Delta(11));
            stage.World.Line.Say("delta", stage.Delta(12));
            stage.World.Turn();
            Check.Same(12L, stage.Fight.Seq.Value, "the sequence");
        }

        [Test]
        private static void AViewWithAWrongDigestIsNotGoneOnFrom()
        {
            var stage = new Stage();
            stage.Live();
            stage.World.Pass(2000, () => false);
            var wrong = stage.Delta(11);
            wrong["h"] = 1L;
            stage.World.Line.Say("delta", wrong);
            stage.World.Pass(2000, () => stage.World.Line.Messages.Count(said => said.Type == "join") == 2);
            Check.That(!stage.World.Line.Messages.Last(said => said.Type == "join").Fields.ContainsKey("seq"), "no sequence is named");
            stage.World.Line.Say("joined", stage.Joined("deltas"));
            stage.World.Turn();
            Check.Same(Status.Joining, stage.Fight.Status, "deltas are no use to it");
            stage.World.Line.Say("snapshot", stage.Snapshot(11));
            stage.World.Turn();
            Check.Same(Status.Live, stage.Fight.Status, "a snapshot is");
        }

        [Test]
        private static void AnErrorGoesToTheMessageThatItAnswers()
        {
            var stage = new Stage();
            var errors = new List<Notice>();
            stage.Fight.OnError += errors.Add;
            stage.World.Line.Accept();
            stage.World.Turn();
            stage.World.Line.Say("error", new Map { { "reason", "unauthorized" }, { "re", "renew" } });
            stage.World.Turn();
            Check.Same(Status.Joining, stage.Fight.Status, "the join is still asked for");
            stage.World.Line.Say("error", new Map { { "reason", "no_session" }, { "re", "join" }, { "session", Session } });
            stage.World.Turn();
            Check.Same(Status.Closed, stage.Fight.Status, "the join is refused");
            Check.Same("unauthorized no_session", string.Join(" ", errors.Select(error => error.Reason)), "what was told");
        }

        [Test]
        private static void GivesUpAfterAWhileAndSaysSo()
        {
            var stage = new Stage(options => options.GiveUpMs = 20000);
            var closed = 0;
            stage.Fight.OnClosed += _ => closed += 1;
            for (var tries = 0; tries < 50 && closed == 0; tries += 1)
            {
                var line = stage.World.Line;
                line.End(1006);
                stage.World.Pass(20000, () => closed > 0 || stage.World.Line != line);
            }
            Check.Same(1, closed, "how often it was told");
            Check.That(stage.Fight.Ended.IsCompleted && stage.Fight.Ended.Result == null, "there is no result");
        }

        [Test]
        private static void WhatWasClosedCanBeOpenedAgain()
        {
            var stage = new Stage();
            stage.World.Line.Accept();
            stage.World.Turn();
            stage.World.Line.End(4409);
            stage.World.Turn();
            Check.Same(4409, stage.Fight.Closing.Code, "the code");
            stage.Fight.Reopen();
            Check.Same(2, stage.World.Lines.Count, "connections");
            stage.World.Line.Accept();
            stage.World.Turn();
            Check.Same("join", stage.World.Line.Messages.Single().Type, "what is said");
        }

        [Test]
        private static void UsesATicketOnceAlsoTheOneThereWasAtFirst()
        {
            var stage = new Stage(options => options.Url = "ws://h/ws?ticket=first");
            stage.Again();
            Check.Same("ws://h/ws?ticket=first ws://h/ws?ticket=1", string.Join(" ", stage.World.Lines.Select(line => line.Url)), "the URLs");
        }

        [Test]
        private static void WithoutTicketsThereIsNoWayBack()
        {
            var stage = new Stage(options =>
            {
                options.Url = "ws://h/ws?ticket=only";
                options.Ticket = null;
            });
            stage.World.Line.End(1006);
            stage.World.Pass(5000, () => stage.Fight.Status == Status.Closed);
            Check.Same(4401, stage.Fight.Closing.Code, "the code");
        }

        [Test]
        private static void NeedNotWaitWhereItIsToldSo()
        {
            var stage = new Stage();
            stage.World.Line.End(1013);
            stage.World.Turn();
            Check.Same(Status.Waiting, stage.Fight.Status, "the status");
            stage.Fight.Connection.Hasten();
            Check.Same(2, stage.World.Lines.Count, "connections");
        }

        [Test]
        private static void AServerThatSpeaksAnotherLanguageIsGivenUp()
        {
            var stage = new Stage();
            stage.World.Line.Subprotocol = "chat";
            stage.World.Line.Accept();
            stage.World.Turn();
            Check.Same(1002, stage.Fight.Closing.Code, "the code");
        }

        [Test]
        private static void WithoutASocketToBeHadSaysSo()
        {
            var world = new GameWorld { NewTransport = () => { throw new InvalidOperationException("no sockets today"); } };
            var fight = Fight.Connect(Session, new ConnectionOptions { Url = "ws://h/", World = world });
            Check.Same("no sockets today", fight.Closing.Why, "why");
        }

        [Test]
        private static void WhatIsNoMessageIsToldAndTheFightGoesOn()
        {
            var stage = new Stage();
            var reasons = new List<string>();
            stage.Fight.OnError += notice => reasons.Add(notice.Reason);
            stage.Live();
            stage.World.Line.Raw(new byte[] { 1, 2, 3 });
            stage.World.Line.Say("delta", stage.Delta(11));
            stage.World.Turn();
            Check.Same("bad_message", reasons.Single(), "what was told");
            Check.Same(11L, stage.Fight.Seq.Value, "the sequence");
        }

        [Test]
        private static void WhoAwaitsAnAnswerGoesOnInTheGamesLoop()
        {
            var stage = new Stage();
            stage.Live();
            var thread = System.Threading.Thread.CurrentThread.ManagedThreadId;
            var went = 0;
            var action = stage.Fight.Defend();
            action.Answer.ContinueWith(_ => went = System.Threading.Thread.CurrentThread.ManagedThreadId, TaskContinuationOptions.ExecuteSynchronously);
            Check.Same(0, went, "there is no answer yet");
            stage.World.Line.Say("ack", new Map { { "s", 7L }, { "id", 1L }, { "q", 11L } });
            stage.World.Turn();
            Check.Same(thread, went, "the thread");
        }

        [Test]
        private static void MayCloseWhileItIsToldSomething()
        {
            var stage = new Stage();
            stage.Fight.OnJoined += _ => stage.Fight.Close();
            stage.World.Line.Accept();
            stage.World.Line.Say("joined", stage.Joined("snapshot"));
            stage.World.Line.Say("snapshot", stage.Snapshot(10));
            stage.World.Turn();
            Check.Same(Status.Closed, stage.Fight.Status, "the status");
            Check.That(stage.World.Line.ClosedByClient, "the connection is closed");
            stage.World.Pass(20000, () => false);
            Check.Same(1, stage.World.Lines.Count, "connections");
        }

        [Test]
        private static void MovesAreSaidWithFacingAndVelocityAsTheWireHasThem()
        {
            var stage = new Stage();
            stage.Live();
            stage.Fight.Move(1.5, -1.5, -90.2, 300.9, -0.5);
            stage.Fight.Move(1, 2);
            var said = stage.World.Line.Messages.Where(one => one.Type == "action").Select(one => Trees.Write(one.Fields)).ToArray();
            Check.Same("{\"s\":7,\"id\":1,\"kind\":\"move\",\"x\":2,\"y\":-1,\"f\":270,\"vx\":300,\"vy\":0}", said[0], "with motion");
            Check.Same("{\"s\":7,\"id\":2,\"kind\":\"move\",\"x\":1,\"y\":2}", said[1], "without");
        }
    }
}
