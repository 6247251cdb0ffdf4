using System;
using System.Text;

namespace Tiltyard
{
    /// <summary>The digest of a view: 32 bits over its words, in the order of docs/PROTOCOL.md.</summary>
    public struct Digest
    {
        private static readonly string[] Statuses = { "initializing", "active", "paused", "completed", "terminated" };
        private static readonly string[] Phases = { "preparation", "active", "cooldown", "finished" };
        private static readonly string[] Standings = { "active", "eliminated", "disconnected" };
        private static readonly string[] Ends =
        {
            "last_standing", "time_limit", "forfeit", "terminated", "completed", "abandoned", "failed", "score_limit", "rounds_won",
            "cleared", "survived", "defeated", "not_ready", "pause_limit",
        };

        private uint h;

        /// <summary>The digest of <paramref name="view"/>.</summary>
        public static uint Of(View view)
        {
            var words = new Digest { h = 0x811c9dc5 };
            words.Add(view.Phase);
            words.Add(view.Seats);
            words.List(view.Covers);
            words.Add(view.Hazards.Length);
            foreach (var hazard in view.Hazards)
            {
                words.Add(hazard.Health);
                words.Add(hazard.Gone);
            }
            words.List(view.Modifiers);
            words.Add(view.Participants.Length);
            foreach (var participant in view.Participants)
            {
                words.Add(participant);
            }
            for (var slot = 0; slot < view.Participants.Length; slot += 1)
            {
                words.AddOwn(view.Participants[slot], slot);
            }
            words.AddMotion(view.Participants);
            return words.h;
        }

        /// <summary>
        /// Whether each word of the view is known here: of one that only a newer server has there is no code, so the digest says nothing.
        /// </summary>
        internal static bool Knows(View view)
        {
            var phase = view.Phase;
            return Array.IndexOf(Statuses, phase.Status) >= 0 && Array.IndexOf(Phases, phase.Name) >= 0
                && (phase.End == null || Array.IndexOf(Ends, phase.End) >= 0)
                && Array.TrueForAll(view.Participants, participant => Array.IndexOf(Standings, participant.Status) >= 0);
        }

        private void Add(Phase phase)
        {
            Add(Array.IndexOf(Statuses, phase.Status));
            Add(Array.IndexOf(Phases, phase.Name));
            var state = Encoding.UTF8.GetBytes(phase.State);
            Add(state.Length);
            foreach (var letter in state)
            {
                Add(letter);
            }
            Wide(phase.Until + 1 ?? 0);
            Add(phase.Winner + 1 ?? 0);
            Add(phase.Team + 1 ?? 0);
            Add(phase.End == null ? 0 : Array.IndexOf(Ends, phase.End) + 1);
            Add(phase.Round);
            Add(phase.Wins.Length);
            foreach (var wins in phase.Wins)
            {
                Add(wins.Team);
                Add(wins.Rounds);
            }
            Add(phase.Turn + 1 ?? 0);
            Wide(phase.TurnUntil ?? 0);
        }

        private void Add(Participant p)
        {
            Add(Tail(p.Player));
            Add(p.Team);
            Add(Array.IndexOf(Standings, p.Status));
            Add((p.Ready ? 1 : 0) + (p.Hidden ? 2 : 0));
            Add(p.Score);
            Add(p.Enemy + 1 ?? 0);
            Add(p.Phase);
            Add(p.Hp);
            Add(p.Armor);
            Add(p.Shield);
            Add(p.Stamina);
            Wide(p.StaminaAt);
            Add(p.StaminaRate);
            Wide(p.GuardUntil);
            Add(p.State);
            Add(p.X);
            Add(p.Y);
            List(p.Effects);
            Add(p.Cast.HasValue ? p.Cast.Value.Ability + 1 : 0);
            Wide(p.Cast.HasValue ? p.Cast.Value.Until : 0);
        }

        /// <summary>What is a participant's own affair; no words where there is nothing of it.</summary>
        private void AddOwn(Participant p, int slot)
        {
            var none = p.Energy == 0 && p.EnergyAt == 0 && p.EnergyRate == 0 && p.Charge == 0 && p.Ammo == 0 && p.ReloadAt == 0;
            if (none && p.Used.Length == 0)
            {
                return;
            }
            Add(slot + 1);
            Add(p.Energy);
            Wide(p.EnergyAt);
            Add(p.EnergyRate);
            Add(p.Charge);
            Add(p.Ammo);
            Wide(p.ReloadAt);
            List(p.Used);
        }

        /// <summary>Facing and velocity; no words where nobody has any.</summary>
        private void AddMotion(Participant[] participants)
        {
            var begun = false;
            for (var slot = 0; slot < participants.Length; slot += 1)
            {
                var p = participants[slot];
                if (p.F == 0 && p.Vx == 0 && p.Vy == 0)
                {
                    continue;
                }
                if (!begun)
                {
                    Add(-1);
                    begun = true;
                }
                Add(slot + 1);
                Add(p.F);
                Add(p.Vx);
                Add(p.Vy);
            }
        }

        /// <summary>The last four bytes of an id, which are its last eight digits.</summary>
        private static int Tail(string id)
        {
            var tail = 0;
            for (var place = Math.Max(0, id.Length - 8); place < id.Length; place += 1)
            {
                var letter = id[place] | 0x20;
                tail = (tail << 4) | (letter <= '9' ? letter - '0' : letter - 'a' + 10);
            }
            return tail;
        }

        /// <summary>The low 32 bits as one word; those of a negative number are its two's complement.</summary>
        private void Add(long word)
        {
            var mixed = unchecked((h ^ (uint)word) * 0x9e3779b1);
            h = mixed ^ (mixed >> 15);
        }

        /// <summary>A 64-bit value as two words, the low one first.</summary>
        private void Wide(long value)
        {
            Add(value);
            Add(value >> 32);
        }

        private void List(long[] items)
        {
            Add(items.Length);
            foreach (var item in items)
            {
                Add(item);
            }
        }

        private void List(int[] items)
        {
            Add(items.Length);
            foreach (var item in items)
            {
                Add(item);
            }
        }

        private void List(Stack[] items)
        {
            Add(items.Length);
            foreach (var item in items)
            {
                Add(item.Of);
                Add(item.Count);
                Wide(item.Until);
            }
        }
    }
}
