// A duel between two guests: start it twice with the address of a server, as in `mono fight.exe http://127.0.0.1:8080`.
using System;
using System.Threading;
using Tiltyard;

static class Duel
{
    static void Main(string[] arguments)
    {
        var hub = new Hub(arguments.Length > 0 ? arguments[0] : "http://127.0.0.1:8080");
        var guest = hub.Guest().Result;
        var seat = hub.Seat(guest.Token, "duel").Result;
        var fight = hub.Play(guest, seat);

        fight.OnJoined += joined => fight.Ready();
        fight.OnStatus += status => Console.WriteLine(status);
        fight.OnRefused += refused => Console.WriteLine($"not now: {refused.Reason}");
        fight.OnEvent += what => { if (what.K == "hit") Console.WriteLine($"{what.By} hits {what.To} for {what.N}"); };

        for (var frame = 0; !fight.Ended.IsCompleted; frame += 1)
        {
            fight.Update();
            if (frame % 12 == 0 && fight.Status == Status.Live && fight.View.Phase.Name == "active")
            {
                var me = fight.Place(fight.Slot).Value;
                fight.Move(me.X, me.Y + fight.Rules.SpeedCmPerS / 10);
                fight.Attack(1 - fight.Slot);
            }
            Thread.Sleep(16);
        }

        var result = fight.Ended.Result;
        Console.WriteLine(result != null && result.Winner == fight.Slot ? "won" : "lost");
        fight.Close();
    }
}
