using System;
using System.Collections.Generic;
using System.Linq;

namespace Tiltyard.Tests
{
    /// <summary>The parts by themselves.</summary>
    internal static class UnitTests
    {
        private static readonly Order Guard = new Order("defend");

        [Test]
        private static void DelaysAreSpreadByChanceGrowAndHaveAnEnd()
        {
            foreach (var code in new[] { 1001, 1005, 1006, 1011, 1012, 1013, 4408, 4413, 4419, 4429 })
            {
                Check.That(CloseCodes.ComesBack(code), code + " comes back");
                var middle = new[] { 0, 1, 2, 3, 4, 5, 20 }.Select(attempt => CloseCodes.DelayMs(code, attempt, 0.5)).ToArray();
                Check.That(middle.SequenceEqual(middle.OrderBy(ms => ms)), code + " grows");
                Check.That(CloseCodes.DelayMs(code, 20, 1) <= (code == 4429 ? 400000 : 15000), code + " ends");
                Check.That(CloseCodes.DelayMs(code, 3, 0) < CloseCodes.DelayMs(code, 3, 0.99) / 1.3, code + " is spread");
            }
            Check.That(CloseCodes.DelayMs(1012, 0, 0) * 5 < CloseCodes.DelayMs(1012, 0, 1), "those of a restart more than others");
        }

        [Test]
        private static void DelaysOfAFloodAreNeverShorterThanTheServers()
        {
            for (var attempt = 0; attempt < 7; attempt += 1)
            {
                Check.That(CloseCodes.DelayMs(4429, attempt, 0) >= Math.Min(300000, 5000 * Math.Pow(2, attempt)), "attempt " + attempt);
            }
        }

        [Test]
        private static void ActionsHaveRisingIdsAboveThoseThatTheServerKnows()
        {
            var actions = new Actions();
            actions.Joined(41);
            Check.Same(42L, actions.Begin(Guard).Id, "the id");
            actions.Joined(7);
            Check.Same(43L, actions.Begin(Guard).Id, "the id");
            Check.That(actions.Pending.Select(action => action.Id).SequenceEqual(new[] { 42L, 43L }), "what is pending");
        }

        [Test]
        private static void ActionsTellTheirAnswersOnce()
        {
            var actions = new Actions();
            var one = actions.Begin(Guard);
            var other = actions.Begin(Guard);
            Check.That(actions.Close(1, Answer.Unsent("x")) && !actions.Close(1, Answer.Unknown), "the first answer counts");
            Check.Same("x", one.Told().Reason, "the answer");
            actions.End();
            Check.Same(AnswerKind.Unknown, other.Told().Kind, "the answer of what was never answered");
        }

        [Test]
        private static void ActionsAreNoMoreAtOnceThanTheServerRemembers()
        {
            var actions = new Actions();
            for (var count = 0; count < Actions.Window; count += 1) actions.Begin(Guard);
            Check.Same("window_full", actions.Begin(Guard).Told().Reason, "the 65th");
            var late = new Actions();
            late.Joined(Actions.IdMax - 1);
            Check.Same(Actions.IdMax, late.Begin(Guard).Id, "the last id");
            Check.Same("bad_action_id", late.Begin(Guard).Told().Reason, "one more");
        }

        [Test]
        private static void TimeIsKnownRoughlyBeforeTheFirstPong()
        {
            var server = new ServerClock();
            var session = new SessionClock(server);
            Check.That(server.Offset == null && server.Latency == null && session.At(5) == 0, "nothing is known");
            server.Heard(100, 1040);
            server.Heard(200, 1150);
            session.Set(70, 1150, true);
            Check.Same(950.0, server.Offset.Value, "the offset");
            Check.Same(130.0, session.At(260), "session time");
            server.Pong(200, 240, 1100);
            Check.Same(880.0, server.Offset.Value, "the offset");
            Check.Same(70.0, session.At(260), "session time never goes back behind what was told");
        }

        [Test]
        private static void TimeFollowsAClockThatDrifts()
        {
            var server = new ServerClock();
            for (var turn = 0; turn < 40; turn += 1) server.Pong(turn * 100, turn * 100 + 20, turn * 101 + 10);
            Check.That(Math.Abs(server.Offset.Value - 32) < 4, "the offset is " + server.Offset);
        }

        private static View Seen(int x, int vx = 0, int f = 0)
        {
            return new View { Participants = new[] { new Participant { X = x, Vx = vx, F = f } } };
        }

        private static Delta Moved(long at, int x)
        {
            return Made.Delta("{\"at\":" + at + ",\"p\":[{\"i\":0,\"x\":" + x + ",\"y\":0}]}");
        }

        [Test]
        private static void WhoHasStoodForLongStartsLate()
        {
            var others = new Interpolator();
            others.Snapshot(Seen(0), 1000);
            others.Delta(Moved(6000, 100), Seen(100));
            Check.Same(0.0, others.Place(0, 5000).Value.X, "before");
            Check.Same(50.0, others.Place(0, 5875).Value.X, "on the way");
            Check.That(others.Place(1, 5000) == null, "nobody is in the other slot");
        }

        [Test]
        private static void PlacesAreRememberedNoLongerThanNeeded()
        {
            var others = new Interpolator();
            others.Snapshot(Seen(0), 0);
            for (var step = 1; step <= 1000; step += 1) others.Delta(Moved(step * 100, step), Seen(step));
            Check.Same(999.5, others.Place(0, 99950).Value.X, "the newest");
            Check.That(others.Place(0, 0).Value.X > 900, "the oldest");
        }

        [Test]
        private static void WhoSaysHowItMovesIsDrawnOnForAMomentAndNeverOffItsWay()
        {
            var others = new Interpolator();
            others.Snapshot(Seen(0, 400, 350), 1000);
            Check.Same(40.0, others.Place(0, 1100).Value.X, "ahead");
            Check.Same(100.0, others.Place(0, 60000).Value.X, "no further than a quarter of a second");
            others.Delta(Moved(1200, 80), Seen(80, 400, 10));
            var way = Enumerable.Range(0, 21).Select(step => others.Place(0, 1000 + step * 10).Value.X).ToArray();
            Check.That(way.SequenceEqual(way.OrderBy(x => x)) && way[0] >= 0 && way[20] <= 80, "it goes forward");
            Check.That(Math.Abs(way[10] - 40) < 0.01, "evenly, as it said");
            Check.Same(0.0, others.Place(0, 1100).Value.F, "it turns the shorter way");
        }

        [Test]
        private static void ClaimsEndWithTheServersWord()
        {
            var own = new Predictor();
            var shown = new Place(0, 0, 10);
            own.Go(1, 5, 6, 90, shown);
            own.Go(2, 7, 8, null, shown);
            Check.Same(new Place(7, 8, 90), own.Place(shown), "where it went, as it faced");
            own.Refused(2);
            Check.Same(new Place(5, 6, 90), own.Place(shown), "where it was before");
            own.Applied(1);
            Check.Same(shown, own.Place(shown), "where the server has it");
        }

        [Test]
        private static void ADoorKnowsItsTicket()
        {
            Check.Same("a b", new Door("ws://h/ws?x=1&ticket=a%20b&y=2").Renewal, "in the URL");
            Check.Same("t", new Door("ws://h/ws?ticket=u", "t").Renewal, "beside it");
        }

        [Test]
        private static void AListenerThatThrowsKeepsNobodyFromHearing()
        {
            var failures = new Failures();
            var heard = new List<int>();
            Action<int> listeners = value => { throw new InvalidOperationException("a bad listener"); };
            listeners += heard.Add;
            failures.Tell(listeners, 1);
            Check.Same(1, heard.Single(), "what was heard");
            var error = Check.Throws<AggregateException>(failures.Throw, "it is not passed over in silence");
            Check.Same("a bad listener", error.InnerException.Message, "what was thrown");
            failures.Throw();
        }
    }

    internal static class Made
    {
        public static Delta Delta(string json)
        {
            var reader = new JsonReader();
            reader.Load(new ArraySegment<byte>(System.Text.Encoding.UTF8.GetBytes(json)));
            return Tiltyard.Delta.Read(reader);
        }
    }
}
