using System.Collections.Generic;

namespace Tiltyard
{
    /// <summary>
    /// Where the player itself is drawn: where the server has it, and on from there by the steps that it has said and the server has
    /// neither shown nor refused. Steps and not places, as a place is only good from where it was said: who is thrown back or dashes on
    /// meanwhile goes on from there. What the server has applied is told by the id that comes with every state.
    /// </summary>
    public sealed class Predictor
    {
        private readonly List<Step> steps = new List<Step>();

        private struct Step
        {
            public long Id;
            public double X;
            public double Y;
            public double? F;
        }

        /// <summary>
        /// The move <paramref name="id"/> says that the player is there, the server having it at <paramref name="shown"/>; <c>null</c> is
        /// the facing it had.
        /// </summary>
        public void Go(long id, double x, double y, double? f, Place shown)
        {
            var from = Place(shown);
            steps.Add(new Step { Id = id, X = x - from.X, Y = y - from.Y, F = f });
        }

        /// <summary>The state that is shown has everything up to <paramref name="id"/>.</summary>
        public void Applied(long id)
        {
            for (var place = steps.Count - 1; place >= 0; place -= 1)
            {
                if (steps[place].Id <= id) steps.RemoveAt(place);
            }
        }

        /// <summary>The move <paramref name="id"/> did not happen.</summary>
        public void Refused(long id)
        {
            for (var place = steps.Count - 1; place >= 0; place -= 1)
            {
                if (steps[place].Id == id) steps.RemoveAt(place);
            }
        }

        /// <summary>Forgets all that is not shown.</summary>
        public void Reset()
        {
            steps.Clear();
        }

        /// <summary>Where the player is, the server having it at <paramref name="shown"/>.</summary>
        public Place Place(Place shown)
        {
            double x = shown.X, y = shown.Y;
            var facing = shown.F;
            foreach (var step in steps)
            {
                x += step.X;
                y += step.Y;
                facing = step.F ?? facing;
            }
            return new Place(x, y, facing);
        }
    }
}
